// The times of several runs as one table.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "product/step_timings.h"

namespace pbatch {

/// Steps of one node in a run count together, but for those that bring values into another layout.
class StepTimes {
 public:
  void add(const StepTimings& run);
  /// Per node, in the order of the first run.
  std::vector<StepTime> medians() const;

 private:
  struct NodeTimes {
    const Node* node = nullptr;  // null: the run as a whole
    PlanStep info;
    std::vector<StepTiming> runs;
  };

  std::vector<NodeTimes> nodes_;
  // A node, and the operator that its step is.
  using Key = std::pair<const Node*, std::string>;
  std::map<Key, std::size_t> places_;
};

}  // namespace pbatch
