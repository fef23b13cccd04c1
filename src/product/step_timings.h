// What steps took in a run.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <vector>

#include "graph/graph.h"
#include "pbatch/plan.h"

namespace pbatch {

/// Parts of a product of bit-layers, nanoseconds, added up over the threads.
struct StepPhases {
  std::atomic<std::int64_t> quantize{0}, product{0}, epilogue{0};
};

/// One step, or all of a node of control flow that its inner steps do not account for.
struct StepTiming {
  const Node* node = nullptr;  ///< null: the run as a whole
  PlanStep info;               ///< a copy: the plan of a subgraph need not outlive its run
  double us = 0, quantize_us = 0, product_us = 0, epilogue_us = 0;
  double macs = 0;  ///< of all steps of the node, where these are added up
};

/// In the order in which they ended; those of a subgraph before the node around them.
using StepTimings = std::vector<StepTiming>;

/// Adds the time of its life to a part; does nothing for null.
class PhaseTimer {
 public:
  using Clock = std::chrono::steady_clock;

  explicit PhaseTimer(std::atomic<std::int64_t>* part) : part_(part) {
    if (part_ != nullptr) start_ = Clock::now();
  }
  ~PhaseTimer() {
    if (part_ == nullptr) return;
    part_->fetch_add(std::chrono::nanoseconds(Clock::now() - start_).count(),
                     std::memory_order_relaxed);
  }
  PhaseTimer(const PhaseTimer&) = delete;
  PhaseTimer& operator=(const PhaseTimer&) = delete;

 private:
  std::atomic<std::int64_t>* part_;
  Clock::time_point start_;
};

}  // namespace pbatch
