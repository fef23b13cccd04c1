#include "calibrate/moment_collector.h"

#include <algorithm>
#include <cmath>

#include "layout/bit_matrix.h"
#include "quantize/add_products.h"

namespace pbatch {
namespace {

constexpr std::int64_t kTogether = 128;  // vectors whose products are summed in float32

}  // namespace

MomentCollector::MomentCollector(std::set<const BitMatrix*> wanted, ThreadPool& pool)
    : wanted_(std::move(wanted)), pool_(pool) {}

void MomentCollector::observe(const BitMatrix& matrix, std::int64_t row_begin, std::int64_t row_end,
                              const float* x, std::int64_t count, std::int64_t ld) {
  if (also_ != nullptr) also_->observe(matrix, row_begin, row_end, x, count, ld);
  const std::int64_t cols = matrix.cols;
  work_ += static_cast<double>(count) * static_cast<double>(cols) *
           static_cast<double>(row_end - row_begin);
  Seen& seen = seen_[{&matrix, row_begin}];
  seen.vectors += static_cast<double>(count);
  seen.cols = static_cast<double>(cols);
  if (wanted_.count(&matrix) == 0) return;
  Sum& sum = sums_[{&matrix, row_begin}];
  InputMoments& m = sum.moments;
  if (m.cols == 0) {
    m.row_begin = row_begin;
    m.row_end = std::min(row_end, matrix.rows);
    m.cols = cols;
    m.moments.assign(static_cast<std::size_t>(cols * cols), 0.0);
    sum.waiting.resize(static_cast<std::size_t>(kTogether * cols));
  }
  for (std::int64_t i = 0; i < count; ++i) {
    std::copy_n(x + i * ld, cols, sum.waiting.begin() + sum.waiting_count * cols);
    if (++sum.waiting_count == kTogether) add_waiting(&sum);
  }
}

void MomentCollector::add_waiting(Sum* sum) {
  InputMoments& m = sum->moments;
  const std::int64_t cols = m.cols, count = sum->waiting_count;
  if (count == 0) return;
  const float* const x = sum->waiting.data();
  pool_.parallel_for(cols, 16, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> turned(static_cast<std::size_t>((end - begin) * count));
    for (std::int64_t i = begin; i < end; ++i) {
      for (std::int64_t v = 0; v < count; ++v) turned[(i - begin) * count + v] = x[v * cols + i];
    }
    // Only from the rows' first column on: the rest mirrors it.
    const std::int64_t width = cols - begin;
    std::vector<float> products(static_cast<std::size_t>((end - begin) * width), 0.0f);
    add_products(turned.data(), count, x + begin, cols, end - begin, count, width, products.data(),
                 width);
    for (std::int64_t i = begin; i < end; ++i) {
      for (std::int64_t j = i; j < cols; ++j) {
        m.moments[i * cols + j] += products[(i - begin) * width + j - begin];
      }
    }
  });
  m.count += count;
  sum->waiting_count = 0;
}

double MomentCollector::least_vectors() const {
  double least = INFINITY;
  for (const auto& entry : seen_) {
    least = std::min(least, entry.second.vectors / entry.second.cols);
  }
  return seen_.empty() ? 0 : least;
}

std::vector<InputMoments> MomentCollector::take(const BitMatrix& matrix) {
  std::vector<InputMoments> parts;
  for (auto it = sums_.lower_bound({&matrix, 0}); it != sums_.end() && it->first.first == &matrix;
       it = sums_.erase(it)) {
    Sum& sum = it->second;
    add_waiting(&sum);
    InputMoments& m = sum.moments;
    const double scale = 1.0 / static_cast<double>(m.count);
    for (std::int64_t i = 0; i < m.cols; ++i) {
      for (std::int64_t j = i; j < m.cols; ++j) {
        const double mean = m.moments[i * m.cols + j] * scale;
        m.moments[i * m.cols + j] = m.moments[j * m.cols + i] = mean;
      }
    }
    parts.push_back(std::move(m));
  }
  return parts;
}

}  // namespace pbatch
