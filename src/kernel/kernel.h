// The kernels' side of a bit-layer product: plain structs and C-like functions.
//
// A product y = W x at n weight bits and A activation bits goes
//   floats x --quantize--> q, scale --pack--> the kernel's activation layout
//   planes, packed activations --kernel--> float accumulators --epilogue--> y.
// What is exact and what is rounded, in which order, is fixed here, so that
// every kernel gives the same bits (docs/bit-layers.md):
//
//   quantize  scale = max|x| / qmax, q = clamp(round-to-nearest-even(x * (qmax / max|x|)));
//             qmax = 127, 32639, 2^29 for A = 8, 16, 32. A vector whose
//             max|x| < 2^-90 counts as zeros: q = 0, scale = 0.
//   halves    A = 8, 16: one half, q itself. A = 32: q = 32768 * hi + lo with
//             lo in -16384..16383; half 0 is hi, half 1 is lo. So every half is
//             one signed byte, or 256 times one plus another (127 * 256 + 127 = 32639).
//   digits    n <= 8: one digit, all planes. n > 8: digit 0 is the first 8
//             planes, digit 1 the other n - 8. A kernel sees one digit: p planes.
//   run       columns are summed in runs of run_blocks * 32 columns (32, 64, 128).
//             For each row, half and run: S = sum (2u - (2^p - 1)) q, exact in int32
//             (|S| <= 255 * 32639 * 128 < 2^31), u = the number the p planes spell.
//   acc       acc = fl(acc + fl(fl(S) * fl(scale_q))), runs ascending, from 0,
//             one accumulator per row and half; no fused multiply-add.
//   epilogue  epilogue.h: combines halves and digits, applies scales, bias, activation.
//
// Kernels check nothing and report nothing: plan and the driver did. Kernel
// files include only C headers, layout.h, this file and intrinsics, so that no
// inline function compiled for a newer ISA can end up in the rest of the program.
#pragma once

#include <stdint.h>

#include "layout/layout.h"

namespace pbatch {

/// How a kernel wants the planes of a digit. The first three are orders of the bits inside the
/// 64-byte blocks of a plane; blocks are ordered the same for all of these. The others join all
/// planes of a digit in one array (joined_planes.h).
enum PlaneLayout {
  kLayoutNibbles,      ///< the canonical one of layout/layout.h, as stored
  kLayoutRowLanes,     ///< little-endian 32-bit lane r of a block = row r, bit c = column c
  kLayoutColumnBytes,  ///< byte 16 g + r of a block = row r, bit c = column 8 g + c
  kLayoutFields,       ///< a weight in a field of 1, 2, 4 or 8 bits
  kLayoutDense,        ///< the same without spare bits: 3, 5, 6 and 7 planes fill their bytes
};
static constexpr bool joins_planes(PlaneLayout layout) { return layout >= kLayoutFields; }

/// kLayoutFields: F bits hold one weight of p planes, a byte the weights of T = 8 / F row blocks (a
/// band) for one row of each and one column. Bytes: [bands][col_blocks][8][16][4]; byte [v][r][j]
/// is column 4 v + j, and row r of row block m of the band in the m-th field from the top, the
/// first plane on top of a field's lower p bits. Fields that no plane or row fills are 0.
/// F: as wide as the planes need, and where the matrix has fewer row blocks than a band, wider.
static constexpr int field_bits(int n_planes) {
  return n_planes <= 2 ? n_planes : n_planes <= 4 ? 4 : 8;
}
static constexpr int field_bits(int n_planes, int64_t row_blocks) {
  int bits = field_bits(n_planes);
  while (8 / bits > row_blocks) bits *= 2;
  return bits;
}
enum { kBandBlockBytes = 8 * kBlockBytes };  ///< of one column block of a band

/// kLayoutDense: no spare bits. F is 3, 5, 6 or 7 with as many planes, else that of kLayoutFields;
/// the weights of a byte fill its lower stored_bits(F). Bytes: [bands][col_blocks][stored_bits][16]
/// [4], byte [v][r][j] as there. The columns from 4 * stored_bits on have no bytes of their own:
/// bit k, 0 the lowest, of what byte [v][r][j] would hold stands at dense_bit().place in byte
/// [dense_bit().vector][r][j].
static constexpr int dense_field_bits(int n_planes, int64_t row_blocks) {
  if (n_planes >= 5 || (n_planes == 3 && row_blocks > 1)) return n_planes;
  return field_bits(n_planes, row_blocks);
}
static constexpr int stored_bits(int field) { return field * (8 / field); }
struct DenseBit {
  int vector, place;
};
static constexpr DenseBit dense_bit(int stored, int v, int k) {
  if (stored == 7) return {k, 7};
  if (stored == 6) return {3 * (v - 6) + k / 2, 6 + k % 2};
  // Of each two byte vectors three and two bits are of v = 5 or 6; the others are of v = 7.
  if (v == 7) return k < 3 ? DenseBit{4, 5 + k} : DenseBit{2 * k - 5, 5};
  return k < 3 ? DenseBit{2 * (v - 5), 5 + k} : DenseBit{2 * (v - 5) + 1, 3 + k};
}
/// F of a layout that joins planes.
static constexpr int joined_field_bits(PlaneLayout layout, int n_planes, int64_t row_blocks) {
  return layout == kLayoutDense ? dense_field_bits(n_planes, row_blocks)
                                : field_bits(n_planes, row_blocks);
}

/// How a packed vector lies in memory; kernels of one layout share packed vectors. Blocks are of 32
/// columns. A vector takes packed_bytes().
enum ActivationLayout {
  kActivationNumbers,  ///< q itself: int32 [32 * col_blocks]
  /// [col_blocks][halves][digits][32] signed bytes: the digits of a half, the low one first. Zeros
  /// up to packed_bytes().
  kActivationDigits,
  kActivationDoubledDigits,  ///< the same, every four bytes twice: [col_blocks][halves][digits][64]
  kActivationWords,          ///< [halves][col_blocks][16] pairs of int16, columns (c, c + 16)
  /// [col_blocks][halves][8 or 16] 32-bit words: bit c of word i is bit i of column c.
  kActivationPlanes,
  /// [col_blocks][2][halves][2 or 3][4][16] bytes, the sums that 4 bits make of 4 columns: byte
  /// [block][upper][half][i][b][bits] is byte i, the low one first, of the sum over the columns
  /// 8 b + 4 upper + j of the block, j = 0..3: plus q where bit j of `bits` is 1, minus q where
  /// not.
  kActivationTables,
  /// [col_blocks][halves][digits][2][2][2][2][16] bytes, the sums that 4 bits make of 4 columns of
  /// a digit: byte [block][half][digit][i][k][part][b][bits] is of 512 + the sum of the digit over
  /// the columns 16 i + 8 b + 4 k + j of the block where bit j of `bits` is 1, j = 0..3: its low
  /// five bits (part 0) or those above (part 1).
  kActivationShuffleTables,
};
/// In kActivationShuffleTables.
enum { kShuffleTableOffset = 512, kShuffleTableBits = 5, kShuffleTableBytes = 256 };

/// One digit of the weights times a batch of packed vectors.
struct BitKernelArgs {
  const uint8_t* planes[8];  ///< most significant first, each [row_blocks][col_blocks][64]; any
                             ///< alignment. joins_planes: planes[0] holds them all
  int n_planes;              ///< p: 1 to 8
  int64_t row_blocks;        ///< of the whole matrix
  int64_t col_blocks;        ///< blocks of 32 columns
  int run_blocks;            ///< col blocks per run: 1, 2 or 4; the last run may be shorter
  const uint8_t* scales;  ///< scale_q: [row_blocks][runs][16], runs = ceil(col_blocks / run_blocks)
  int activation_bits;    ///< A: 8, 16 or 32
  const uint8_t* activations;  ///< batch vectors in the kernel's ActivationLayout, 64-byte aligned
  int64_t activation_stride;   ///< bytes from one vector to the next, a multiple of 64
  const int32_t* run_sums;     ///< [batch][halves][runs]: sum of q over each run
  int64_t batch;
  float* acc;          ///< out: [batch][halves][acc_stride]
  int64_t acc_stride;  ///< floats from one half to the next, >= 16 * all row blocks
  int prefetch;        ///< 1: kernels of joined planes fetch weights ahead (prefetch.h); 0: not
};

/// Computes row blocks begin .. end - 1, all rows of each (also padding rows,
/// whose scale_q is 0). Safe to call from many threads on disjoint row blocks.
typedef void (*BitKernelFn)(const BitKernelArgs* args, int64_t row_block_begin,
                            int64_t row_block_end);

/// Packs one vector into a layout: q has 32 * col_blocks elements, zero beyond the columns; `out`
/// is 64-byte aligned and takes packed_bytes().
typedef void (*PackFn)(const int32_t* q, int64_t col_blocks, int activation_bits, uint8_t* out);

/// Quantizes one vector of `cols` floats and fills run_sums[halves][runs]. `layout` is
/// kActivationNumbers or kActivationDigits; `out` is 64-byte aligned and takes packed_bytes().
/// Returns 0, and leaves the rest undefined, if an element is NaN or infinite; else 1.
typedef int (*QuantizeFn)(const float* x, int64_t cols, int64_t col_blocks, int run_blocks,
                          int activation_bits, ActivationLayout layout, uint8_t* out,
                          int32_t* run_sums, float* scale);

/// Affine codes of 8 bits (asymmetric quantization) of numbers that are scaled together: x is about
/// scale * (q + zero), 0 exactly so.
///   low = min(x, 0), high = max(x, 0), scale = fl(fl(high / 254) - fl(low / 254)),
///   zero = round-to-nearest-even(fl(low * fl(1 / scale))) + 127, -127 to 127,
///   q = min(round-to-nearest-even(fl(x * fl(1 / scale))) - zero, 127), -127 to 127.
/// Magnitudes below 2^-90 all count as zeros: scale = 0.
typedef struct {
  float scale, inverse;
} AffineCode;
static inline AffineCode affine_code(float low, float high) {
  AffineCode code = {0.0f, 0.0f};
  if (high >= 0x1p-90f || -low >= 0x1p-90f) {
    code.scale = high / 254.0f - low / 254.0f;
    code.inverse = 1.0f / code.scale;
  }
  return code;
}
/// Returns 0, and leaves the rest undefined, if an element is NaN or infinite; else 1.
typedef int (*AffineQuantizeFn)(const float* x, int64_t count, int8_t* out, float* scale,
                                int32_t* zero);

/// The sums of runs of one vector that lies as kActivationDigits, as QuantizeFn fills them in:
/// run_sums [halves][runs].
typedef void (*RunSumsFn)(const uint8_t* packed, int64_t col_blocks, int run_blocks,
                          int activation_bits, int32_t* run_sums);

static constexpr int activation_halves(int activation_bits) {
  return activation_bits == 32 ? 2 : 1;
}
/// Bytes of a sum in kActivationTables.
static constexpr int table_bytes(int activation_bits) { return activation_bits == 8 ? 2 : 3; }
/// Bytes that one packed vector takes, a multiple of 64.
static inline int64_t packed_bytes(ActivationLayout layout, int64_t col_blocks,
                                   int activation_bits) {
  int64_t column_bytes = activation_bits / 8;
  if (layout == kActivationNumbers) column_bytes = 4;
  if (layout == kActivationDoubledDigits) column_bytes *= 2;
  if (layout == kActivationWords) column_bytes = 2 * activation_halves(activation_bits);
  if (layout == kActivationTables) {
    column_bytes = 4 * table_bytes(activation_bits) * activation_halves(activation_bits);
  }
  if (layout == kActivationShuffleTables) column_bytes = activation_bits;
  return (col_blocks * kBlockCols * column_bytes + 63) / 64 * 64;
}
/// The largest |q|; exact as a float.
static inline int32_t activation_qmax(int activation_bits) {
  return activation_bits == 8 ? 127 : activation_bits == 16 ? 32639 : 1 << 29;
}
/// Half 0 of a 32-bit q; half 1 is q - 32768 * high_half(q).
static inline int32_t high_half(int32_t q) { return (q + 16384) >> 15; }

}  // namespace pbatch
