// What takes part in the kernel benchmark.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/buffer_pool.h"
#include "base/thread_pool.h"
#include "cost/kernel_policy.h"
#include "tools/bench/gemv_problem.h"
#include "tools/bench/gemv_stock.h"
#include "tools/bench/timing.h"

namespace pbatch {

struct GemvContender {
  std::string name;
  int weight_bits = 32, activation_bits = 32;
  std::int64_t weight_bytes = 0;  ///< weights and scales that one product reads
  TimedCall call;                 ///< one product of the whole batch
  bool of_bit_layers = false;     ///< not a library's, whose threads stay awake for a while
};

/// What the products of one thread count share.
struct GemvLane {
  explicit GemvLane(int threads) : pool(threads) {}
  ThreadPool pool;
  BufferPool buffers;
};

struct BitContenderSpec {
  std::string kernel;  ///< empty: the one a session would choose
  int weight_bits = 4, activation_bits = 16;
  bool cold = false;
};

/// A bit-layer product, its answer already checked. `problem` and `lane` must outlive it; `stock`
/// is of the problem's matrix. `policy` gives instruction set and costs to choose the kernel by;
/// threads and what is cold come from `lane` and `spec`.
Result<GemvContender> make_bit_contender(const GemvProblem& problem, const BitContenderSpec& spec,
                                         const KernelPolicy& policy, GemvStock& stock,
                                         GemvLane& lane);

/// The product of a library (baselines.h), its answer already checked.
Result<GemvContender> make_peer_contender(const GemvProblem& problem, std::string_view name,
                                          bool cold, GemvLane& lane);

}  // namespace pbatch
