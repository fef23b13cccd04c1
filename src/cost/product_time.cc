#include "cost/product_time.h"

#include <algorithm>
#include <limits>

#include "layout/layout.h"

namespace pbatch {
namespace {

constexpr double kUnknown = std::numeric_limits<double>::infinity();

// The share of computing that does not overlap with reading from memory, about; also what decides
// between kernels that all wait for memory.
constexpr double kNotOverlapped = 0.05;

// What one core has just packed reaches another at about 8 GB/s.
constexpr double kHandOverPsPerByte = 120;

struct Point {
  double x, y;
};

// A broken line through points in ascending order; beyond the last it goes on in proportion.
class Line {
 public:
  void add(double x, double y) { points_[count_++] = {x, y}; }
  bool empty() const { return count_ == 0; }
  Point first() const { return points_[0]; }
  double at(double x) const {
    const Point last = points_[count_ - 1];
    if (x >= last.x) return last.y * x / last.x;
    std::size_t next = 0;
    while (points_[next].x < x) ++next;
    if (next == 0) return points_[0].y;
    const Point a = points_[next - 1], b = points_[next];
    return a.y + (b.y - a.y) * (x - a.x) / (b.x - a.x);
  }

 private:
  std::array<Point, kCostBatches.size()> points_{};
  std::size_t count_ = 0;
};

// One digit of at most 8 planes.
struct Digit {
  const KernelCosts& costs;
  const BitKernel& kernel;
  std::size_t activation;
  std::size_t width;  // planes - 1
  double batch;

  // Picoseconds for each weight and the whole batch; infinite if nothing is known.
  double per_weight(std::size_t matrix) const {
    Line line;
    for (std::size_t b = 0; b < kCostBatches.size(); ++b) {
      const double cost = costs.at(kernel, {matrix, activation, b})[width];
      if (cost > 0) line.add(kCostBatches[b], cost * kCostBatches[b]);
    }
    return line.empty() ? kUnknown : line.at(batch);
  }

  // Picoseconds for each column of `blocks` row blocks whose weights are in L2.
  double per_column(double blocks) const {
    Line line;
    for (std::size_t m = 0; m < kLargeCostMatrix; ++m) {
      const double weight = per_weight(m);
      const auto rows = static_cast<double>(kCostMatrices[m].rows);
      if (weight < kUnknown) line.add(rows / int{kBlockRows}, weight * rows);
    }
    if (line.empty()) return per_weight(kLargeCostMatrix) * blocks * int{kBlockRows};
    // Nothing smaller was measured: in proportion.
    if (blocks < line.first().x) return line.first().y * blocks / line.first().x;
    return line.at(blocks);
  }

  // What each weight costs more in the large matrix than in the greatest one that L2 holds, for
  // the whole batch: it is read from further away, once, so beyond the batches that were measured
  // there it costs no more than at the last of them.
  double beyond_l2() const {
    Digit measured = *this;
    for (std::size_t b = 0; b < kCostBatches.size(); ++b) {
      if (costs.at(kernel, {kLargeCostMatrix, activation, b})[width] > 0) {
        measured.batch = std::min(batch, static_cast<double>(kCostBatches[b]));
      }
    }
    const double large = measured.per_weight(kLargeCostMatrix);
    const double small = measured.per_weight(kLargeCostMatrix - 1);
    return large < kUnknown && small < kUnknown ? std::max(0.0, large - small) : 0;
  }
};

double compute_ps(const KernelCosts& costs, const BitKernel& kernel, const GemmShape& shape,
                  bool large) {
  const auto* const bits =
      std::find(kCostActivationBits.begin(), kCostActivationBits.end(), shape.activation_bits);
  if (bits == kCostActivationBits.end()) return kUnknown;
  const std::int64_t threads = std::max(shape.threads, 1);
  const auto blocks = static_cast<double>((row_blocks(shape.rows) + threads - 1) / threads);
  double ps = 0;
  for (int left = shape.weight_bits; left > 0; left -= kCostWidths) {
    const Digit digit{costs, kernel, static_cast<std::size_t>(bits - kCostActivationBits.begin()),
                      static_cast<std::size_t>(std::min(left, kCostWidths) - 1),
                      static_cast<double>(shape.batch)};
    const double column =
        digit.per_column(blocks) + (large ? digit.beyond_l2() * blocks * int{kBlockRows} : 0);
    ps += column * static_cast<double>(shape.cols);
  }
  return ps;
}

// Threads but the first fetch the packed vectors from the core of the one that packed them.
double hand_over_ps(const BitKernel& kernel, const GemmShape& shape) {
  if (shape.threads <= 1) return 0;
  const auto bytes = static_cast<double>(
      packed_bytes(kernel.activations, col_blocks(shape.cols), shape.activation_bits));
  return bytes * static_cast<double>(shape.batch) * kHandOverPsPerByte;
}

// One thread reads as fast as it was measured to, up to what all threads got together.
double memory_ps_per_byte(const KernelCosts& costs, int threads) {
  if (costs.memory.empty()) return 0;
  const MemoryCost& one = costs.memory.front();
  return std::max(one.ps_per_byte * one.threads / std::max(threads, 1),
                  costs.memory.back().ps_per_byte);
}

}  // namespace

double product_ps(const KernelCosts& costs, const BitKernel& kernel, const GemmShape& shape) {
  const auto own = static_cast<double>(weight_bytes_read(kernel.layout, shape));
  const auto plane = static_cast<double>(plane_bytes(shape.rows, shape.cols));
  const double in_turn =
      std::max(own, own / plane * static_cast<double>(shape.network_plane_bytes));
  const double compute =
      compute_ps(costs, kernel, shape,
                 in_turn > static_cast<double>(costs.caches.l2) * std::max(shape.threads, 1)) +
      hand_over_ps(kernel, shape);
  if (in_turn <= static_cast<double>(costs.caches.l3)) return compute;
  const double reading = own * memory_ps_per_byte(costs, shape.threads);
  return std::max(compute, reading) + kNotOverlapped * std::min(compute, reading);
}

}  // namespace pbatch
