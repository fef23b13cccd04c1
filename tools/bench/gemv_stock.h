// What the contenders of one shape share: prepared weights and the right answers.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <tuple>
#include <vector>

#include "kernel/registry.h"
#include "pbatch/status.h"
#include "pbatch/tensor.h"
#include "product/bit_gemm.h"
#include "tools/bench/gemv_problem.h"

namespace pbatch {

/// Cold weights rotate over this many bytes.
inline constexpr std::int64_t kColdBytes = 300'000'000;

/// A matrix made ready for a kernel, or, cold, copies of it that make kColdBytes together. All who
/// share it take the copies in one order, so that nobody meets what another has just read.
class WeightRotation {
 public:
  static Result<std::shared_ptr<WeightRotation>> create(MatrixCache& cache, const BitKernel& kernel,
                                                        int weight_bits, bool cold);
  const PreparedMatrix& take() { return *matrices_[next_++ % matrices_.size()]; }

 private:
  std::vector<std::shared_ptr<const PreparedMatrix>> matrices_;
  std::size_t next_ = 0;
};

/// Of one matrix, for any batch and number of threads. Not thread-safe.
class GemvStock {
 public:
  explicit GemvStock(std::shared_ptr<const BitMatrix> matrix) : cache_(std::move(matrix)) {}

  Result<std::shared_ptr<WeightRotation>> weights(const BitKernel& kernel, int weight_bits,
                                                  bool cold);
  /// naive_product of the problem's batch, of what the bit-layers stand for and the rounded
  /// activations.
  Result<const std::vector<double>*> answer(const GemvProblem& problem, int weight_bits,
                                            int activation_bits);

 private:
  MatrixCache cache_;
  std::map<std::tuple<const BitKernel*, int, bool>, std::shared_ptr<WeightRotation>> weights_;
  std::map<std::tuple<std::int64_t, int, int>, std::vector<double>> answers_;
  int dequantized_bits_ = 0;  // of the widths only the last is kept
  Tensor dequantized_;
};

}  // namespace pbatch
