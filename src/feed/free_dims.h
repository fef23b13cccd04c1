// Sizes for the free dimensions of a network that is fed random inputs.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "pbatch/network.h"

namespace pbatch {

/// What layers read, each size once: sizes that inputs in front of them may have.
std::vector<std::int64_t> sizes_read_by(const std::vector<LayerInfo>& layers);

/// The free dimensions of some inputs. Those of one name are one, and so are the nameless first
/// ones, which usually count the items of a batch. A name such as "past + 1" follows from others.
class FreeDims {
 public:
  using Sizes = std::map<std::string, std::int64_t>;  // by name

  /// `given`: shapes that are not for choosing, by input; names in them are bound. `batch`: what
  /// free first dimensions are, unless the shapes say; 0: for choosing. `likely`: sizes to try that
  /// the network suggests, such as what its layers read.
  FreeDims(const std::vector<PortInfo>& inputs, const std::map<std::string, Shape>& given,
           std::int64_t batch = 0, std::vector<std::int64_t> likely = {});

  bool empty() const { return names_.empty(); }
  /// What to try, likeliest first: all 1, then sizes of text, images and sound, of all but the
  /// batch or of one dimension, then of all, then mixtures. The same for every call.
  std::vector<Sizes> candidates() const;
  Shape shape(const PortInfo& port, const Sizes& sizes) const;
  /// "batch=1, time=16".
  std::string describe(const Sizes& sizes) const;

 private:
  std::string name_of(const PortInfo& port, std::size_t d) const;
  std::int64_t size_of(const std::string& name, const Sizes& sizes) const;

  std::map<std::string, Shape> given_;
  std::map<std::string, std::int64_t> bound_;  // by the given shapes
  std::vector<std::string> names_;             // to choose, in the order of the inputs
  std::vector<std::int64_t> likely_;
  std::map<std::string, bool> is_first_;  // stands for a first dimension somewhere
};

}  // namespace pbatch
