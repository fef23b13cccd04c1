// What MatrixCache makes and bit_gemm runs.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "kernel/registry.h"
#include "layout/bit_matrix.h"
#include "product/outlier_product.h"

namespace pbatch {

/// The planes of one run of the kernel: at most 8 of a matrix's 16.
struct WeightDigit {
  std::array<const std::uint8_t*, 8> planes{};
  int n_planes = 0;
};

struct PreparedMatrix {
  const BitKernel* kernel = nullptr;
  std::shared_ptr<const BitMatrix> matrix;
  int weight_bits = 0;
  int run_blocks = 0;  ///< column blocks per run, as BitKernelArgs has it
  std::int64_t runs = 0;
  std::array<WeightDigit, 2> digits;           ///< the second has no planes up to 8 bits
  std::shared_ptr<const std::uint8_t> scales;  ///< BitKernelArgs::scales
  OutlierProduct outliers;                     ///< empty where the matrix has none
  std::vector<std::shared_ptr<const std::uint8_t>> repacked;  ///< keeps what digits point to

  int digit_count() const { return weight_bits > 8 ? 2 : 1; }
};

}  // namespace pbatch
