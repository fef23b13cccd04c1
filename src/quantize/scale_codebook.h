// One byte per group that serves every width.
#pragma once

#include <cstdint>
#include <vector>

#include "quantize/step_stats.h"

namespace pbatch {

/// Groups to learn from, in units of their row's scale.
struct GroupSample {
  std::vector<float> x;
  std::vector<std::int64_t> begin{0};  ///< group i is x[begin[i]] .. x[begin[i + 1]]
  std::vector<double> weight;          ///< what its squared error counts: row_scale^2
  std::int64_t count() const { return static_cast<std::int64_t>(weight.size()); }
};

/// Up to 256 entries, each a step and the scales at the narrow widths that suit
/// groups of that step. A group's code names an entry; the step makes its codes.
/// Vector quantization of all scales of a group together: they are strongly
/// dependent, so a byte is enough where separate scales would take one each.
class ScaleCodebook {
 public:
  /// `ladder`: the steps (ladder.h), not empty. Learns the narrow scales by a few
  /// rounds of Lloyd's algorithm on the sample. Deterministic.
  ScaleCodebook(const Widths& widths, std::vector<int> ladder, const GroupSample& sample);

  struct Choice {
    std::uint8_t code;
    float step;
  };
  /// The entry that fits the group best over all widths. Entry 0 is for zeros.
  /// `greatest` is the greatest |x|. Thread-safe.
  Choice choose(const float* x, std::int64_t count, float greatest) const;

  /// Rows of 256 bytes: widths 1 .. narrow, then the step.
  void write(std::uint8_t* rows) const;

 private:
  struct Entry {
    float step = 0;
    float narrow[kNarrowWidths] = {};
  };
  struct Candidates {
    int first, last;  ///< levels
  };
  class Trainer;

  Candidates candidates(float greatest) const;
  double cost(const Entry& entry, const StepStats& stats) const;

  Widths widths_;
  std::vector<int> ladder_;
  std::vector<int> level_first_;  ///< first entry of each level, and one past the last
  std::vector<Entry> entries_;    ///< ordered by level; entry i has code i + 1
  double narrow_weight_[kNarrowWidths] = {};
  double wide_weight_[4] = {};
};

}  // namespace pbatch
