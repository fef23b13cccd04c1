#include "layout/pack.h"

#include <algorithm>
#include <cstring>

namespace pbatch {
namespace {

// Two rows x four columns of a block share a byte of each plane.
constexpr int kCellRows = 2;
constexpr int kCellCols = 4;

// Bit k of byte b becomes bit b of byte k: three rounds of swapping halves.
std::uint64_t transpose_8x8(std::uint64_t x) {
  std::uint64_t t = (x ^ (x >> 7)) & 0x00aa00aa00aa00aaULL;
  x ^= t ^ (t << 7);
  t = (x ^ (x >> 14)) & 0x0000cccc0000ccccULL;
  x ^= t ^ (t << 14);
  t = (x ^ (x >> 28)) & 0x00000000f0f0f0f0ULL;
  return x ^ t ^ (t << 28);
}

// The lowest 4 bits of each 16-bit lane, side by side: the factors move each to the top, and what
// else they make stays apart below.
std::uint32_t gather_nibbles(std::uint64_t x) {
  x &= 0x000f000f000f000fULL;
  return static_cast<std::uint32_t>((x * 0x0001001001001000ULL) >> 48);
}

// Where the cell of (row, col) lies in a plane.
std::int64_t cell_offset(std::int64_t row, std::int64_t col, std::int64_t blocks_per_row) {
  const std::int64_t block = (row / kBlockRows) * blocks_per_row + col / kBlockCols;
  return block * kBlockBytes +
         block_byte(static_cast<int>(row % kBlockRows), static_cast<int>(col % kBlockCols));
}

// Calls fn(row, col, rows, cols, offset) for each cell, also the padding; rows
// and cols say how much of the cell lies within the matrix (possibly nothing).
template <class Fn>
void for_each_cell(std::int64_t rows, std::int64_t cols, const Fn& fn) {
  const std::int64_t blocks = col_blocks(cols);
  const std::int64_t padded_rows = row_blocks(rows) * kBlockRows;
  const std::int64_t padded_cols = blocks * kBlockCols;
  for (std::int64_t row = 0; row < padded_rows; row += kCellRows) {
    const auto cell_rows = static_cast<int>(std::clamp<std::int64_t>(rows - row, 0, kCellRows));
    for (std::int64_t col = 0; col < padded_cols; col += kCellCols) {
      const auto cell_cols = static_cast<int>(std::clamp<std::int64_t>(cols - col, 0, kCellCols));
      fn(row, col, cell_rows, cell_cols, cell_offset(row, col, blocks));
    }
  }
}

}  // namespace

void pack_planes(const std::uint16_t* codes, std::int64_t rows, std::int64_t cols, int n,
                 std::uint8_t* const* planes) {
  for_each_cell(
      rows, cols,
      [&](std::int64_t row, std::int64_t col, int cell_rows, int cell_cols, std::int64_t offset) {
        std::uint64_t low = 0,
                      high = 0;  // byte k: the low and the high 8 bits of code k of the cell
        for (int r = 0; r < cell_rows; ++r) {
          const std::uint16_t* from = codes + (row + r) * cols + col;
          for (int c = 0; c < cell_cols; ++c) {
            const int shift = 8 * block_bit(r, c);
            low |= static_cast<std::uint64_t>(from[c] & 0xff) << shift;
            high |= static_cast<std::uint64_t>(from[c] >> 8) << shift;
          }
        }
        low = transpose_8x8(low);
        high = n > 8 ? transpose_8x8(high) : 0;
        for (int bit = 0; bit < n; ++bit) {
          const std::uint64_t bytes = bit < 8 ? low : high;
          planes[n - 1 - bit][offset] = static_cast<std::uint8_t>(bytes >> (8 * (bit % 8)));
        }
      });
}

void unpack_planes(const std::uint8_t* const* planes, int n, std::int64_t rows, std::int64_t cols,
                   std::uint16_t* codes) {
  for_each_cell(
      rows, cols,
      [&](std::int64_t row, std::int64_t col, int cell_rows, int cell_cols, std::int64_t offset) {
        if (cell_rows == 0 || cell_cols == 0) return;
        std::uint64_t low = 0, high = 0;  // byte b: bit b, or 8 + b, of the 8 codes of the cell
        for (int bit = 0; bit < n; ++bit) {
          const std::uint64_t byte = planes[n - 1 - bit][offset];
          (bit < 8 ? low : high) |= byte << (8 * (bit % 8));
        }
        low = transpose_8x8(low);
        high = n > 8 ? transpose_8x8(high) : 0;
        for (int r = 0; r < cell_rows; ++r) {
          std::uint16_t* to = codes + (row + r) * cols + col;
          for (int c = 0; c < cell_cols; ++c) {
            const int shift = 8 * block_bit(r, c);
            to[c] = static_cast<std::uint16_t>(((low >> shift) & 0xff) |
                                               (((high >> shift) & 0xff) << 8));
          }
        }
      });
}

void row_words(const std::uint8_t* const* planes, int n, std::int64_t cols, std::int64_t row,
               std::int64_t col_block, std::uint32_t* words) {
  // Four rows share a lane of 16 bytes; a row's bits of 4 columns are a nibble in every second
  // byte, or its upper half.
  const auto row_in_block = static_cast<int>(row % kBlockRows);
  const std::int64_t lane = row_lane(row, col_block, cols);
  const int shift = 8 * (block_byte(row_in_block, 0) % 2) + block_bit(row_in_block, 0);
  for (int p = 0; p < n; ++p) {
    std::uint64_t halves[2];
    std::memcpy(halves, planes[p] + lane, sizeof(halves));
    words[p] = gather_nibbles(halves[0] >> shift) | gather_nibbles(halves[1] >> shift) << 16;
  }
}

void unpack_row(const std::uint8_t* const* planes, int n, std::int64_t cols, std::int64_t row,
                std::int64_t col_block, std::uint16_t codes[kBlockCols]) {
  std::uint32_t words[16];
  row_words(planes, n, cols, row, col_block, words);
  for (int first = 0; first < kBlockCols; first += 8) {
    std::uint64_t low = 0, high = 0;  // byte b: bit b, or 8 + b, of 8 codes
    for (int bit = 0; bit < n; ++bit) {
      const std::uint64_t byte = words[n - 1 - bit] >> first & 0xff;
      (bit < 8 ? low : high) |= byte << (8 * (bit % 8));
    }
    low = transpose_8x8(low);
    high = n > 8 ? transpose_8x8(high) : 0;
    for (int c = 0; c < 8; ++c) {
      codes[first + c] =
          static_cast<std::uint16_t>(((low >> (8 * c)) & 0xff) | (((high >> (8 * c)) & 0xff) << 8));
    }
  }
}

}  // namespace pbatch
