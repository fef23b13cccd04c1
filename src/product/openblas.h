// OpenBLAS as the operators use it: threads as asked, sizes checked.
#pragma once

#include <cstdint>
#include <mutex>
#include <shared_mutex>

#include "pbatch/status.h"

namespace pbatch {

/// OpenBLAS has one number of threads for the whole process. Holds it at
/// `threads` for the life of the object: calls that want the same number run
/// side by side, others wait for them to end.
class OpenblasThreads {
 public:
  explicit OpenblasThreads(int threads);

 private:
  std::shared_lock<std::shared_mutex> shared_;
  std::unique_lock<std::shared_mutex> exclusive_;
};

/// Y [m][n] = alpha * op(A) * op(B) + beta * Y, all row-major, Y without gaps;
/// op(A) is m x k and op(B) is k x n. With beta = 0, Y may be uninitialized.
struct SgemmCall {
  std::int64_t m = 0, n = 0, k = 0;
  bool transpose_a = false, transpose_b = false;
  std::int64_t a_stride = 0, b_stride = 0;  ///< from a row, as stored, to the next; 0: no gaps
  float alpha = 1.0F, beta = 0.0F;
  const float* a = nullptr;
  const float* b = nullptr;
  float* y = nullptr;
};

/// unsupported unless each of m, n and k is small enough for OpenBLAS.
Status check_sgemm(std::int64_t m, std::int64_t n, std::int64_t k);

/// A matrix-vector product where that is all there is to do. Precondition:
/// check_sgemm(), and the calling thread, or the one it works for, holds OpenblasThreads.
void sgemm(const SgemmCall& call);

}  // namespace pbatch
