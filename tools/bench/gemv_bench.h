// Kernels beside the libraries everybody has, in one run.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cost/kernel_costs.h"
#include "pbatch/status.h"
#include "tools/bench/progress.h"
#include "tools/bench/timing.h"

namespace pbatch {

struct GemvShape {
  std::int64_t rows = 0, cols = 0;
};

struct GemvBenchOptions {
  std::vector<GemvShape> shapes;
  std::vector<int> weight_bits, activation_bits, batches, threads;
  std::vector<int> cpus;  ///< of thread counts n the first n are used; empty: any
  int group = 64;
  bool cold = false;                 ///< weights from memory: rotates over about 300 MB of them
  bool peers = true;                 ///< also the libraries of baselines.h
  std::vector<std::string> kernels;  ///< by name; empty: the one a session would choose
  std::shared_ptr<const KernelCosts> costs;  ///< to choose by; null: the built-in ones
  TimingOptions timing;
};

struct GemvBenchRow {
  GemvShape shape;
  std::int64_t batch = 1;
  int threads = 1;
  bool cold = false;
  std::string kernel;
  int weight_bits = 32, activation_bits = 32;
  double min_us = 0, median_us = 0;
  double gbps = 0;   ///< bytes of weights and scales over the median time
  double gmacs = 0;  ///< rows * cols * batch over the median time
  /// gbps over that of a plain read of as much (hot) or of memory (cold); absent where none was
  /// taken: hot, of the libraries.
  std::optional<double> share_of_read;
};

/// What the machine does at most (gemv_ceiling.h), timed in turns with the products of `shape` and
/// the first batch.
struct GemvCeiling {
  GemvShape shape;
  int threads = 1;
  bool cold = false;
  std::string kind;         ///< "read", "vpdpbusd"
  std::int64_t bytes = 0;   ///< of one call; 0 where nothing is read
  bool huge_pages = false;  ///< of a read
  double min_us = 0, median_us = 0;
  double gbps = 0;   ///< bytes over the median time
  double gmacs = 0;  ///< products of bytes over the median time; 0 of a read
};

struct GemvBenchResult {
  std::vector<GemvBenchRow> rows;
  std::vector<GemvCeiling> ceilings;
};

/// Multiplies random matrices: float activations in, float results out, all
/// between inside the time. Every contender's answer is compared with a
/// naive product in double precision before anything is timed; one that is
/// wrong is an error. All contenders of one shape, batch and thread count are
/// timed side by side.
Result<GemvBenchResult> gemv_bench(const GemvBenchOptions& options, Progress& progress);

}  // namespace pbatch
