// Codes to planes and back.
#pragma once

#include <cstdint>

#include "layout/layout.h"

namespace pbatch {

/// Spreads the n low bits of each code (row-major, 1 <= n <= 16) over n planes,
/// most significant first. Each plane is plane_bytes(rows, cols) long and fully
/// written, padding with zeros. Bits of a code above the n low ones are ignored.
void pack_planes(const std::uint16_t* codes, std::int64_t rows, std::int64_t cols, int n,
                 std::uint8_t* const* planes);

/// The inverse: the n-bit numbers that the first n planes spell, row-major.
void unpack_planes(const std::uint8_t* const* planes, int n, std::int64_t rows, std::int64_t cols,
                   std::uint16_t* codes);

/// What n planes hold of 32 columns of one row, those of column block `col_block`, padding too:
/// bit c of words[p] is that of column c in plane p.
void row_words(const std::uint8_t* const* planes, int n, std::int64_t cols, std::int64_t row,
               std::int64_t col_block, std::uint32_t* words);

/// The n-bit numbers that these spell.
void unpack_row(const std::uint8_t* const* planes, int n, std::int64_t cols, std::int64_t row,
                std::int64_t col_block, std::uint16_t codes[kBlockCols]);

}  // namespace pbatch
