// The bit-layer layout: the one definition of where each bit of a plane lives.
//
// A plane holds one bit of every weight of a rows x cols matrix. It is cut into
// blocks of 16 rows x 32 columns; a block is 64 bytes. Blocks are ordered row
// block by row block, and within a row block by ascending columns, so the bits
// of 16 rows are one contiguous stream. Rows are padded to a multiple of 16 and
// columns to a multiple of 32 with zero bits.
//
// Within a block, byte 16*L + 2*v + q (L = 0..3, v = 0..7, q = 0..1) holds
//   row 4*L + 2*q     in bits 0..3 (bit c: column 4*v + c),
//   row 4*L + 2*q + 1 in bits 4..7 (bit 4 + c: column 4*v + c).
// This order lets one interleave and 8x8 bit transpose turn 1, 2, 4 or 8 planes
// into bytes whose 32-bit lanes belong to single rows (docs/kernels.md).
#pragma once

#include <stdint.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "Model files and kernels hold numbers in little-endian order; this target does not."
#endif

#ifdef __cplusplus
namespace pbatch {
#endif

enum { kBlockRows = 16, kBlockCols = 32, kBlockBytes = 64 };

/// Longest run of columns summed in integers before the sum is scaled and added
/// to the float accumulator. A group of more columns than this is summed in
/// runs of this length (docs/bit-layers.md, "Accumulators").
enum { kMaxRunCols = 128 };

static inline int64_t row_blocks(int64_t rows) { return (rows + kBlockRows - 1) / kBlockRows; }
static inline int64_t col_blocks(int64_t cols) { return (cols + kBlockCols - 1) / kBlockCols; }
/// Bytes of one plane.
static inline int64_t plane_bytes(int64_t rows, int64_t cols) {
  return row_blocks(rows) * col_blocks(cols) * kBlockBytes;
}
/// Byte within a block, and bit within that byte, of (row, col) with row < 16, col < 32.
static inline int block_byte(int row, int col) {
  return 16 * (row / 4) + 2 * (col / 4) + (row % 4) / 2;
}
static inline int block_bit(int row, int col) { return 4 * (row % 2) + col % 4; }
/// Byte of a plane where the 16 bytes begin that row `row` shares with three others, in a block.
static inline int64_t row_lane(int64_t row, int64_t col_block, int64_t cols) {
  return (row / kBlockRows * col_blocks(cols) + col_block) * kBlockBytes +
         block_byte((int)(row % kBlockRows) / 4 * 4, 0);
}

#ifdef __cplusplus
}  // namespace pbatch
#endif
