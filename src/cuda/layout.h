// How planes, scales and activations lie in device memory: the one definition of these orders.
//
// Columns are cut into slabs of 256 (8 blocks of 32) and rows into row blocks of 16, both padded
// with zeros. A warp multiplies one row block x one slab at a time. Its lanes are numbered as mma
// does: lane 4 g + t, g = 0..7, t = 0..3.
//
// Weights. One plane of one row block and slab is 128 words of 32 bits, [lane][word]. Word 2 j + h
// of lane (g, t), j, h = 0..1, holds bits of row g + 8 h of the block; its bit 8 b + 2 k + i,
// b, k = 0..3, i = 0..1, is
//   column 8 t + 4 i + b of block 4 j + k.
// So the 4 words of a lane are one 16-byte load and, as they are, operands of mma:
//   - m16n8k128 on bits takes words 2 j and 2 j + 1: blocks 4 j .. 4 j + 3. A block is the mask
//     0x03030303 << 2 k, a pair of blocks 0x0f0f0f0f << 4 (k / 2): masked activations keep the sums
//     of runs apart, with constants;
//   - m16n8k32 on bytes takes bits 2 k and 2 k + 1 of every byte of these words, that is all
//     columns of block 4 j + k, four ascending columns to a register.
// A plane is [row_blocks][slabs][32][4] words.
//
// Activations for bits: [halves][slabs][32 lanes][tiles][2] words, tiles = 1 or 2 of 8 bits each
// for 8 or for 16 and 32 activation bits. Word (tile, j) of lane (g, t) holds bit 8 tile + g of 32
// halves of q (two's complement), in the order of weight word (t, j).
// Activations for bytes: kActivationDigits of kernel.h, padded to whole slabs.
//
// Scales of runs: [row_blocks][slabs][32][runs of a slab / 2] bytes. The sums of a slab, numbered
// (run of the slab) * 2 + h, are shared out evenly among the four lanes t of row g, ascending.
//
// Sums of q over runs: [halves][slabs][runs of a slab] int32, zero beyond the last run.
#pragma once

#include <stdint.h>

#include "cuda/warp_code.h"
#include "layout/hd.h"

namespace pbatch::cuda {

inline constexpr int kLanes = 32;
inline constexpr int kSlabBlocks = 8;
inline constexpr int kSlabCols = 256;
inline constexpr int kSlabWords = 128;  ///< of one plane

PBATCH_HD constexpr int64_t slabs_of(int64_t col_blocks) {
  return (col_blocks + kSlabBlocks - 1) / kSlabBlocks;
}
/// Words of one plane.
PBATCH_HD constexpr int64_t plane_words(int64_t row_blocks, int64_t slabs) {
  return row_blocks * slabs * kSlabWords;
}

/// Runs of a slab: 8, 4 or 2 for run_blocks = 1, 2 or 4.
PBATCH_HD constexpr int slab_runs(int run_blocks) { return kSlabBlocks / run_blocks; }
/// Sums of a row that each of its four lanes holds.
PBATCH_HD constexpr int held_sums(int run_blocks) { return slab_runs(run_blocks) / 2; }

/// Where a column of a slab lies: in which lane t, word j and bit.
struct ColumnPlace {
  int t, j, bit;
};
PBATCH_HD constexpr ColumnPlace column_place(int col) {
  const int block = col / 32, c = col % 32;
  return {c / 8, block / 4, 8 * (c % 4) + 2 * (block % 4) + c / 4 % 2};
}
/// The inverse.
PBATCH_HD constexpr int column_at(int t, int j, int bit) {
  return 32 * (4 * j + bit / 2 % 4) + 8 * t + 4 * (bit % 2) + bit / 8;
}

/// Word `word` of lane `lane`, of the plane of one row block and slab. `blocks` are its blocks in
/// the canonical order (layout/layout.h), of which only the first `count` exist.
PBATCH_HD inline uint32_t weight_word(const uint8_t* blocks, int count, int lane, int word) {
  const int row = lane / 4 + 8 * (word % 2), t = lane % 4, j = word / 2;
  uint32_t bits = 0;
  for (int k = 0; k < 4 && 4 * j + k < count; ++k) {
    for (int i = 0; i < 2; ++i) {
      // Four columns of a row are half a byte.
      const uint32_t byte =
          blocks[64 * (4 * j + k) + 16 * (row / 4) + 2 * (2 * t + i) + row % 4 / 2];
      const uint32_t four = byte >> (4 * (row % 2)) & 15;
      bits |= (four * 0x00204081u & 0x01010101u) << (2 * k + i);  // bit b to bit 8 b
    }
  }
  return bits;
}

/// Words of one packed vector.
PBATCH_HD constexpr int64_t activation_words(int64_t slabs, int activation_bits) {
  return slabs * kSlabCols * activation_bits / 32;
}
PBATCH_HD constexpr int activation_tiles(int activation_bits) {
  return activation_bits == 8 ? 1 : 2;
}
/// The first word of a lane, of activations for bits; 2 * tiles words follow each other.
PBATCH_HD constexpr int64_t activation_word(int64_t slabs, int half, int64_t slab, int lane,
                                            int tiles) {
  return ((half * slabs + slab) * kLanes + lane) * (2 * tiles);
}

/// Bytes of the scales of a matrix.
PBATCH_HD constexpr int64_t scale_bytes(int64_t row_blocks, int64_t slabs, int run_blocks) {
  return row_blocks * slabs * kLanes * held_sums(run_blocks);
}
/// Where the scale of (row < 16 of a row block, run) lies.
PBATCH_HD constexpr int64_t scale_at(int64_t row_block, int row, int64_t run, int64_t slabs,
                                     int run_blocks) {
  const int runs = slab_runs(run_blocks);
  return ((row_block * slabs + run / runs) * 8 + row % 8) * (2 * runs) + run % runs * 2 + row / 8;
}

}  // namespace pbatch::cuda
