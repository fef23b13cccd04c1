#include "cost/measure_speeds.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>

#include "base/aligned_buffer.h"
#include "kernel/ceiling_registry.h"
#include "kernel/prefetch.h"
#include "layout/layout.h"

namespace pbatch {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMatrix = kLargeCostMatrix - 1;  // 1024 x 1024
constexpr std::array<int, 3> kWidths = {2, 4, 8};
constexpr std::array<std::size_t, 2> kBatches = {0, 4};  // of kCostBatches: 1 and 16
constexpr std::int64_t kMostBatch = kCostBatches[4];
constexpr int kRunBlocks = 2;  // groups of 64 columns, as tables are measured with

constexpr std::chrono::milliseconds kKernelTime{60};
constexpr int kLeastRounds = 4;  // two in each half
// Halves that differ by more were disturbed.
constexpr double kDisagree = 1.15;
// Kernels that lose by more than this at a point are not timed there.
constexpr double kBehind = 1.5;
constexpr std::int64_t kMemoryBytes = std::int64_t{64} << 20;
constexpr double kNever = std::numeric_limits<double>::infinity();

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// Zeros take as long as other numbers.
std::shared_ptr<void> zeros(std::int64_t bytes) {
  std::shared_ptr<void> memory = allocate_aligned(static_cast<std::size_t>(bytes));
  if (memory != nullptr) std::memset(memory.get(), 0, static_cast<std::size_t>(bytes));
  return memory;
}

struct Probe {
  const BitKernel* kernel;
  int width;
  std::size_t batch;                            // of kCostBatches
  double table_ps;                              // for each weight and vector
  std::array<double, 2> least{kNever, kNever};  // seconds, of each half of the rounds
};

std::vector<Probe> choose_probes(const KernelCosts& costs, IsaChoice isa) {
  std::vector<Probe> probes;
  for (const int width : kWidths) {
    for (const std::size_t batch : kBatches) {
      const auto cost = [&](const BitKernel& kernel) {
        const bool runs = isa.runs(kernel.isa) && costs.knows(kernel);
        const double ps =
            runs ? costs.at(kernel, {kMatrix, 0, batch})[static_cast<std::size_t>(width - 1)] : 0;
        return ps > 0 ? ps : kNever;
      };
      double best = kNever;
      for (const BitKernel& kernel : all_kernels()) best = std::min(best, cost(kernel));
      for (const BitKernel& kernel : all_kernels()) {
        const double ps = cost(kernel);
        if (ps < kNever && ps <= kBehind * best) probes.push_back({&kernel, width, batch, ps});
      }
    }
  }
  return probes;
}

// A product of the table's matrix, all zeros.
class Product {
 public:
  Product() {
    planes_ = zeros(8 * plane_bytes(kRows, kCols));
    scales_ = zeros(row_blocks(kRows) * runs() * kBlockRows);
    // The widest layout of activations takes eight bytes a column at 8 bits.
    activations_ = zeros(kMostBatch * kCols * 8);
    run_sums_ = zeros(kMostBatch * runs() * 4);
    acc_ = zeros(kMostBatch * kRows * 4);
  }
  bool has_memory() const { return planes_ && scales_ && activations_ && run_sums_ && acc_; }

  double time(const Probe& probe) const {
    BitKernelArgs args = {};
    for (int i = 0; i < probe.width; ++i) {
      args.planes[i] =
          static_cast<const std::uint8_t*>(planes_.get()) + i * plane_bytes(kRows, kCols);
    }
    args.n_planes = probe.width;
    args.row_blocks = row_blocks(kRows);
    args.col_blocks = col_blocks(kCols);
    args.run_blocks = kRunBlocks;
    args.scales = static_cast<const std::uint8_t*>(scales_.get());
    args.activation_bits = kCostActivationBits[0];
    args.activations = static_cast<const std::uint8_t*>(activations_.get());
    args.activation_stride =
        packed_bytes(probe.kernel->activations, args.col_blocks, args.activation_bits);
    args.run_sums = static_cast<const std::int32_t*>(run_sums_.get());
    args.batch = kCostBatches[probe.batch];
    args.acc = static_cast<float*>(acc_.get());
    args.acc_stride = kRows;
    args.prefetch = fetches_ahead(*probe.kernel, args.n_planes, kRows * kCols);
    const Clock::time_point begin = Clock::now();
    probe.kernel->run(&args, 0, args.row_blocks);
    return seconds_since(begin);
  }

 private:
  static constexpr std::int64_t kRows = kCostMatrices[kMatrix].rows;
  static constexpr std::int64_t kCols = kCostMatrices[kMatrix].cols;
  static std::int64_t runs() { return (col_blocks(kCols) + kRunBlocks - 1) / kRunBlocks; }

  std::shared_ptr<void> planes_, scales_, activations_, run_sums_, acc_;
};

bool time_probes(const Product& product, std::vector<Probe>& probes) {
  for (const Probe& probe : probes) product.time(probe);  // code and data into the caches
  const Clock::time_point begin = Clock::now();
  int rounds = 0;
  for (; rounds < kLeastRounds || Clock::now() - begin < kKernelTime; ++rounds) {
    // A processor too slow for a few rounds keeps the table as it is.
    if (rounds < kLeastRounds && Clock::now() - begin > 2 * kKernelTime) return false;
    for (Probe& probe : probes) {
      double& least = probe.least[static_cast<std::size_t>(rounds % 2)];
      least = std::min(least, product.time(probe));
    }
  }
  const auto disagrees = [](const Probe& probe) {
    return std::max(probe.least[0], probe.least[1]) >
           kDisagree * std::min(probe.least[0], probe.least[1]);
  };
  return 4 * std::count_if(probes.begin(), probes.end(), disagrees) <=
         static_cast<std::ptrdiff_t>(probes.size());
}

// Of one kernel over the table; none if it was not timed.
std::optional<double> speed_of(const BitKernel& kernel, const std::vector<Probe>& probes) {
  double sum = 0;
  int count = 0;
  for (const Probe& probe : probes) {
    if (probe.kernel != &kernel) continue;
    const auto products = static_cast<double>(
        kCostMatrices[kMatrix].rows * kCostMatrices[kMatrix].cols * kCostBatches[probe.batch]);
    const double ps = std::min(probe.least[0], probe.least[1]) * 1e12 / products;
    sum += std::log(ps / probe.table_ps);
    ++count;
  }
  return count > 0 ? std::optional(std::exp(sum / count)) : std::nullopt;
}

// Picoseconds to read a byte from memory.
std::optional<double> read_memory(IsaChoice isa) {
  const std::shared_ptr<void> memory = allocate_aligned(kMemoryBytes);
  if (memory == nullptr) return std::nullopt;
  std::memset(memory.get(), 0, kMemoryBytes);
  const MemoryReader* reader = nullptr;
  for (const MemoryReader& r : all_readers()) {
    if (isa.runs(r.isa)) reader = &r;
  }
  if (reader == nullptr) return std::nullopt;
  double least = kNever;
  std::uint64_t bits = 0;
  for (int loop = 0; loop < kReadLoops; ++loop) {
    const Clock::time_point begin = Clock::now();
    bits |= reader->run(loop, static_cast<const std::uint8_t*>(memory.get()), kMemoryBytes / 64);
    least = std::min(least, seconds_since(begin));
  }
  // The words are looked at, so they are read.
  if (bits != 0) return std::nullopt;
  return least * 1e12 / static_cast<double>(kMemoryBytes);
}

}  // namespace

std::optional<MachineSpeeds> measure_speeds(const KernelCosts& costs, IsaChoice isa) {
  std::vector<Probe> probes = choose_probes(costs, isa);
  const Product product;
  if (probes.empty() || !product.has_memory() || !time_probes(product, probes)) {
    return std::nullopt;
  }
  MachineSpeeds speeds;
  std::vector<double> timed;
  for (const BitKernel& kernel : all_kernels()) {
    const std::optional<double> speed = speed_of(kernel, probes);
    speeds.kernels.push_back(speed.value_or(0));
    if (speed) timed.push_back(*speed);
  }
  // What is never near the best is as fast as the others are in the middle.
  std::sort(timed.begin(), timed.end());
  for (std::size_t i = 0; i < speeds.kernels.size(); ++i) {
    if (!costs.knows(all_kernels()[i])) {
      speeds.kernels[i] = 1;
    } else if (speeds.kernels[i] == 0) {
      speeds.kernels[i] = timed[timed.size() / 2];
    }
  }
  if (!costs.memory.empty() && costs.caches.l3 < kMemoryBytes) {
    if (const std::optional<double> ps = read_memory(isa)) {
      speeds.memory = *ps / (costs.memory.front().ps_per_byte * costs.memory.front().threads);
    }
  }
  return speeds;
}

KernelCosts scale_costs(const KernelCosts& costs, const MachineSpeeds& speeds) {
  KernelCosts scaled = costs;
  for (std::size_t k = 0; k < all_kernels().size(); ++k) {
    const BitKernel& kernel = all_kernels()[k];
    if (!costs.knows(kernel)) continue;
    for (std::size_t m = 0; m < kCostMatrices.size(); ++m) {
      for (std::size_t a = 0; a < kCostActivationBits.size(); ++a) {
        for (std::size_t b = 0; b < kCostBatches.size(); ++b) {
          WidthCosts widths = costs.at(kernel, {m, a, b});
          for (double& cost : widths) cost *= speeds.kernels[k];
          scaled.set(kernel, {m, a, b}, widths);
        }
      }
    }
  }
  for (MemoryCost& memory : scaled.memory) memory.ps_per_byte *= speeds.memory;
  return scaled;
}

}  // namespace pbatch
