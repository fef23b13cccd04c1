// Items from data files as the inputs of a network.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "feed/item_fit.h"
#include "pbatch/network.h"
#include "pbatch/status.h"

namespace pbatch {

/// What goes into one input; its first dimension counts the items.
struct InputData {
  std::string name;  ///< of the input; empty: the only one
  Tensor data;
  bool pixels = false;                   ///< from an IDX file of u8: float inputs take pixels/255
  std::optional<std::size_t> axis = {};  ///< the input's batch dimension, as of fit_items
};

class Feed {
 public:
  /// Fits `data` to the inputs, one for each; optional ones may have none. Errors name the input.
  static Result<Feed> create(const std::vector<PortInfo>& inputs,
                             const std::vector<InputData>& data);

  std::int64_t items() const { return items_; }
  /// Items that a run must take; 0: any number.
  std::int64_t batch() const { return batch_; }
  /// Which dimension of each input counts items; nothing where an input has none.
  std::optional<std::map<std::string, int>> batch_axes() const;
  /// How items became inputs, e.g. "pixels/255, each item as [1, 784]".
  const std::string& note() const { return note_; }
  /// Items first .. first + count - 1 in a run for `n` >= count; the last stands in for those that
  /// are missing.
  Result<std::vector<NamedTensor>> inputs(std::int64_t first, std::int64_t count,
                                          std::int64_t n) const;

 private:
  struct Part {
    std::string name;
    Tensor data;  // of the input's type
    ItemFit fit;
  };
  Status add(const PortInfo& port, const InputData& given, bool alone);

  std::vector<Part> parts_;
  std::int64_t items_ = 0, batch_ = 0;
  std::string note_;
};

}  // namespace pbatch
