#include "quantize/moment_factor.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace pbatch {
namespace {

constexpr double kDamping = 0.01;
constexpr std::int64_t kEliminatedBlock = 32;  // columns eliminated together

// sum x_k y_k, in four interleaved sums.
double double_dot(const double* x, const double* y, std::int64_t count) {
  double sum[4] = {};
  std::int64_t k = 0;
  for (; k + 4 <= count; k += 4) {
    for (int l = 0; l < 4; ++l) sum[l] += x[k + l] * y[k + l];
  }
  for (; k < count; ++k) sum[0] += x[k] * y[k];
  return (sum[0] + sum[2]) + (sum[1] + sum[3]);
}

template <class Task>
void for_each(std::int64_t count, ThreadPool* pool, const Task& task) {
  const auto range = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) task(i);
  };
  if (pool == nullptr) {
    range(0, count);
  } else {
    pool->parallel_for(count, 8, range);
  }
}

// H = B D B' in place, from the last column to the first, blocks of columns at a time. Above the
// diagonal of `a` are then the elements of B, on it those of D.
void factor_in_place(std::int64_t n, double* a, ThreadPool* pool) {
  std::vector<double> scaled(
      static_cast<std::size_t>(kEliminatedBlock * n));  // D B' of a block's rows
  for (std::int64_t end = n; end > 0;) {
    const std::int64_t begin = std::max<std::int64_t>(0, end - kEliminatedBlock), behind = n - end;
    for (std::int64_t j = begin; j < end; ++j) {
      for (std::int64_t k = end; k < n; ++k) {
        scaled[static_cast<std::size_t>((j - begin) * n + k)] = a[k * n + k] * a[j * n + k];
      }
    }
    // What the columns behind the block leave of it.
    for_each(end, pool, [&](std::int64_t i) {
      for (std::int64_t j = std::max(i, begin); j < end; ++j) {
        a[i * n + j] -= double_dot(
            a + i * n + end, &scaled[static_cast<std::size_t>((j - begin) * n + end)], behind);
      }
    });
    for (std::int64_t j = end - 1; j >= begin; --j) {
      const double pivot = a[j * n + j];
      // Rows inside the block, from which the rows above it take their factors.
      for (std::int64_t i = begin; i < j; ++i) a[i * n + j] /= pivot;
      for (std::int64_t i = begin; i < j; ++i) {
        for (std::int64_t k = i; k < j; ++k) a[i * n + k] -= a[i * n + j] * pivot * a[k * n + j];
      }
    }
    for_each(begin, pool, [&](std::int64_t i) {
      for (std::int64_t j = end - 1; j >= begin; --j) {
        const double pivot = a[j * n + j];
        const double factor = a[i * n + j] /= pivot;
        for (std::int64_t k = begin; k < j; ++k) a[i * n + k] -= factor * pivot * a[k * n + j];
      }
    });
    end = begin;
  }
}

Status not_usable() {
  return {ErrorCode::invalid_argument, "the inputs that were seen are all zero or not finite",
          "give other samples, or choose the plain scheme"};
}

// Ordered, scaled and damped, in double.
Result<std::vector<double>> order(const InputMoments& given, double damping, MomentFactor* made) {
  const std::int64_t n = given.cols;
  const double* const h = given.moments.data();
  double mean = 0;
  for (std::int64_t j = 0; j < n; ++j) mean += h[j * n + j];
  mean /= static_cast<double>(n);
  if (!(mean > 0) || !std::isfinite(mean)) return not_usable();
  made->cols = n;
  made->order.resize(static_cast<std::size_t>(n));
  std::iota(made->order.begin(), made->order.end(), 0);
  std::stable_sort(made->order.begin(), made->order.end(),
                   [&](std::int32_t a, std::int32_t b) { return h[a * n + a] > h[b * n + b]; });
  std::vector<double> ordered(static_cast<std::size_t>(n * n));
  for (std::int64_t i = 0; i < n; ++i) {
    const double* const row = h + made->order[static_cast<std::size_t>(i)] * n;
    for (std::int64_t j = 0; j < n; ++j) {
      const double value = row[made->order[static_cast<std::size_t>(j)]] / mean;
      ordered[static_cast<std::size_t>(i * n + j)] = value + (i == j ? damping : 0);
    }
  }
  made->moments.assign(ordered.begin(), ordered.end());
  return ordered;
}

}  // namespace

Result<MomentFactor> order_moments(const InputMoments& moments) {
  MomentFactor made;
  PBATCH_RETURN_IF_ERROR(order(moments, 0, &made).status());
  return made;
}

Result<MomentFactor> factor_moments(const InputMoments& moments, ThreadPool* pool) {
  MomentFactor made;
  PBATCH_ASSIGN_OR_RETURN(std::vector<double> ordered, order(moments, kDamping, &made));
  const std::int64_t n = moments.cols;
  factor_in_place(n, ordered.data(), pool);
  for (std::int64_t i = 0; i < n; ++i) {
    if (!(ordered[static_cast<std::size_t>(i * n + i)] > 0)) return not_usable();
    std::fill_n(ordered.begin() + i * n, i + 1, 0.0);
  }
  made.feedback.assign(ordered.begin(), ordered.end());
  return made;
}

}  // namespace pbatch
