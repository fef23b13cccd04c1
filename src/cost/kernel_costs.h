// What the kernels cost, as measured on a machine: the table that choose_kernel reads.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "isa/caches.h"
#include "kernel/registry.h"

namespace pbatch {

struct CostMatrix {
  std::int64_t rows, cols;
};

// The products that are measured. What happens between them and beyond is told from these:
// product_time.h.
//
/// From one row block, where kernels that take several at a time waste the others, to a matrix that
/// no L2 cache holds.
inline constexpr std::array<CostMatrix, 4> kCostMatrices = {
    {{16, 4096}, {128, 4096}, {1024, 1024}, {4096, 4096}}};
inline constexpr std::size_t kLargeCostMatrix = 3;  ///< the others stay in a core's L2 cache
inline constexpr std::array<int, 3> kCostActivationBits = {8, 16, 32};
inline constexpr std::array<int, 6> kCostBatches = {1, 2, 4, 8, 16, 64};
inline constexpr int kCostWidths = 8;  ///< weight bits 1 to 8; wider ones are two digits

/// Indices into the arrays above.
struct CostPoint {
  std::size_t matrix = 0, activation = 0, batch = 0;
};

/// Picoseconds for each weight and vector at 1 to 8 weight bits; 0: not measured.
using WidthCosts = std::array<double, kCostWidths>;

/// Reading weights from memory.
struct MemoryCost {
  int threads = 1;
  double ps_per_byte = 0;  ///< over all threads together
};

/// Where a table comes from.
struct CostHeader {
  std::string build;  ///< build_identity() of the program that measured; empty in built-in tables
  std::string isa;    ///< the instruction set in use
  std::string cpu;    ///< cpu_identity()
  std::string date;
};

class KernelCosts {
 public:
  CostHeader header;
  std::vector<MemoryCost> memory;  ///< ascending in threads; empty: reading costs nothing
  CacheSizes caches;               ///< where weights stay; not part of the table as text

  KernelCosts();
  /// Precondition for all three: the kernel is one of all_kernels(), the point within the arrays.
  const WidthCosts& at(const BitKernel& kernel, const CostPoint& point) const;
  void set(const BitKernel& kernel, const CostPoint& point, const WidthCosts& costs);
  void forget(const BitKernel& kernel);
  /// Whether anything was measured of this kernel; without that it is never chosen.
  bool knows(const BitKernel& kernel) const;

 private:
  std::vector<WidthCosts> costs_;
  std::vector<bool> known_;
};

/// The program's version and the names of its kernels: costs measured by another are of no use.
std::string build_identity();

}  // namespace pbatch
