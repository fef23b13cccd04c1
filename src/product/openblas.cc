#include "product/openblas.h"

#include <cblas.h>

#include <algorithm>
#include <limits>
#include <string>

namespace pbatch {
namespace {

std::shared_mutex& thread_count_mutex() {
  static std::shared_mutex mutex;
  return mutex;
}

void scale(float* y, std::int64_t count, float beta) {
  if (beta == 0.0F) {
    std::fill_n(y, count, 0.0F);
  } else if (beta != 1.0F) {
    for (std::int64_t i = 0; i < count; ++i) y[i] *= beta;
  }
}

}  // namespace

OpenblasThreads::OpenblasThreads(int threads) : shared_(thread_count_mutex()) {
  if (openblas_get_num_threads() == threads) return;
  shared_.unlock();
  exclusive_ = std::unique_lock(thread_count_mutex());
  openblas_set_num_threads(threads);
}

Status check_sgemm(std::int64_t m, std::int64_t n, std::int64_t k) {
  if (std::max({m, n, k}) <= std::numeric_limits<blasint>::max()) return Status::ok();
  return {ErrorCode::unsupported,
          "a product of " + std::to_string(m) + " x " + std::to_string(k) + " by " +
              std::to_string(k) + " x " + std::to_string(n) + " is too large for OpenBLAS",
          "split the matrix or use a smaller batch"};
}

void sgemm(const SgemmCall& call) {
  if (call.m == 0 || call.n == 0) return;
  if (call.k == 0) {
    scale(call.y, call.m * call.n, call.beta);
    return;
  }
  const auto m = static_cast<blasint>(call.m);
  const auto n = static_cast<blasint>(call.n);
  const auto k = static_cast<blasint>(call.k);
  const auto stride_or = [](std::int64_t stride, blasint cols) {
    return stride != 0 ? static_cast<blasint>(stride) : cols;
  };
  const blasint a_stride = stride_or(call.a_stride, call.transpose_a ? m : k);
  const blasint b_stride = stride_or(call.b_stride, call.transpose_b ? k : n);
  if (m == 1 || n == 1) {
    // sgemv scales garbage too, so Y is set here.
    scale(call.y, call.m * call.n, call.beta);
    if (m == 1) {  // y = op(B)^T a
      cblas_sgemv(CblasRowMajor, call.transpose_b ? CblasNoTrans : CblasTrans,
                  call.transpose_b ? n : k, call.transpose_b ? k : n, call.alpha, call.b, b_stride,
                  call.a, call.transpose_a ? a_stride : 1, 1.0F, call.y, 1);
    } else {
      cblas_sgemv(CblasRowMajor, call.transpose_a ? CblasTrans : CblasNoTrans,
                  call.transpose_a ? k : m, call.transpose_a ? m : k, call.alpha, call.a, a_stride,
                  call.b, call.transpose_b ? 1 : b_stride, 1.0F, call.y, 1);
    }
    return;
  }
  cblas_sgemm(CblasRowMajor, call.transpose_a ? CblasTrans : CblasNoTrans,
              call.transpose_b ? CblasTrans : CblasNoTrans, m, n, k, call.alpha, call.a, a_stride,
              call.b, b_stride, call.beta, call.y, n);
}

}  // namespace pbatch
