// The times of several runs as one table.
#pragma once

#include <cstddef>
#include <map>
#include <vector>

#include "execute/step_timings.h"

namespace pbatch {

/// Steps of one node in a run count together.
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
  std::map<const Node*, std::size_t> places_;
};

}  // namespace pbatch
