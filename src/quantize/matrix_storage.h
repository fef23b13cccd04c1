// A BitMatrix while it is filled.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "layout/bit_matrix.h"
#include "pbatch/status.h"

namespace pbatch {

/// The matrix and the one buffer behind it, writable.
struct MatrixStorage {
  BitMatrix matrix;
  std::vector<std::uint8_t*> planes;  ///< each plane_bytes(rows, cols) long
  std::uint8_t* group_codes = nullptr;
  std::uint8_t* codebook = nullptr;
  float* row_scale = nullptr;

  /// `codebook_widths`: rows of the codebook. The outliers are copied. out_of_memory if there is
  /// no memory.
  static Result<MatrixStorage> allocate(std::int64_t rows, std::int64_t cols, int planes, int group,
                                        int codebook_widths,
                                        std::span<const std::int32_t> outlier_places,
                                        std::span<const float> outlier_values);
  /// codes[end - begin][cols] become rows begin .. end - 1; `begin` is a multiple of kBlockRows.
  void pack(const std::uint16_t* codes, std::int64_t begin, std::int64_t end) const;
};

/// The error of a quantization that ran out of memory.
Status no_memory_to_quantize();

}  // namespace pbatch
