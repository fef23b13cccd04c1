// Random matrices of bit-layers, of a size that keeps the vectors between layers near 1.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "cuda/matrix.h"
#include "layout/layout.h"
#include "pbatch/status.h"

namespace pbatch::bench {

inline constexpr int kRunBlocks = 2;  ///< groups of 64, the default

struct RandomWeights {
  std::int64_t rows, cols;
  int bits;
  std::vector<std::vector<std::uint8_t>> planes;  ///< canonical, [bits]
  std::vector<std::uint8_t> scales;               ///< [row_blocks][runs][16], of every width
  std::vector<float> row_scale;                   ///< [rows]

  std::int64_t runs() const { return (col_blocks(cols) + kRunBlocks - 1) / kRunBlocks; }
};

inline RandomWeights random_weights(std::int64_t rows, std::int64_t cols, int bits,
                                    std::uint64_t seed = 7) {
  std::mt19937_64 rng(seed);
  RandomWeights w{rows, cols, bits, {}, {}, {}};
  for (int i = 0; i < bits; ++i) {
    auto& plane = w.planes.emplace_back(static_cast<std::size_t>(plane_bytes(rows, cols)));
    for (std::size_t at = 0; at < plane.size(); at += 8) {
      const std::uint64_t eight = rng();
      std::memcpy(plane.data() + at, &eight, 8);
    }
  }
  w.scales.resize(static_cast<std::size_t>(row_blocks(rows) * w.runs() * kBlockRows));
  for (auto& scale : w.scales) scale = static_cast<std::uint8_t>(rng());
  // A weight is about 85 row scales: bytes of scales, codes over the whole range.
  w.row_scale.assign(static_cast<std::size_t>(rows),
                     1.0F / (85 * std::sqrt(static_cast<float>(cols))));
  return w;
}

inline std::vector<float> random_vectors(std::int64_t count, std::uint64_t seed) {
  std::mt19937_64 rng(seed);
  std::normal_distribution<float> normal;
  std::vector<float> x(static_cast<std::size_t>(count));
  for (float& v : x) v = normal(rng);
  return x;
}

/// With scales of all widths up to w.bits.
inline Result<cuda::Matrix> upload(std::shared_ptr<cuda::Device> device, const RandomWeights& w) {
  std::vector<const std::uint8_t*> planes;
  for (const auto& plane : w.planes) planes.push_back(plane.data());
  PBATCH_ASSIGN_OR_RETURN(
      cuda::Matrix matrix,
      cuda::Matrix::create(std::move(device), {w.rows, w.cols, kRunBlocks, w.bits},
                           w.row_scale.data()));
  PBATCH_RETURN_IF_ERROR(matrix.add_planes(planes));
  for (int bits = 1; bits <= w.bits; ++bits) {
    PBATCH_RETURN_IF_ERROR(matrix.add_scales(bits, w.scales.data()));
  }
  return matrix;
}

}  // namespace pbatch::bench
