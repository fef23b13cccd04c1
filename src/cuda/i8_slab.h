// One row block x slab on bytes: planes of weights become bytes 0..255 in registers, activations
// are signed bytes, one digit of one vector in each column of mma's B and C. For processors without
// a unit for bits, and for batches that fill the columns.
//
// Bits 2 k and 2 k + 1 of every byte of the words of a lane are its 8 columns of block k
// (layout.h): shifted to their place and masked, those of all planes make two registers of A.
#pragma once

#include "cuda/product_args.h"

namespace pbatch::cuda {

/// The operand A of block 4 j + k: u of 16 rows x 32 columns.
template <class W, int kPlanes>
PBATCH_WARP void expand_block(const typename W::U32 (&a)[kPlanes][4], int j, int k,
                              typename W::U32 (&out)[4]) {
  using U32 = typename W::U32;
  PBATCH_UNROLL
  for (int i = 0; i < 2; ++i) {
    PBATCH_UNROLL
    for (int h = 0; h < 2; ++h) {
      U32 bytes(0);
      PBATCH_UNROLL
      for (int plane = 0; plane < kPlanes; ++plane) {
        const int from = 2 * k + i, to = kPlanes - 1 - plane;
        const U32 word = a[plane][2 * j + h];
        const U32 moved = from >= to ? word >> (from - to) : word << (to - from);
        bytes = bytes | (moved & U32(0x01010101u << to));
      }
      out[2 * i + h] = bytes;
    }
  }
}

/// As B1Multiply, with activations for bytes. kDigits: bytes of half an activation, 1 or 2.
template <class W, int kPlanesOf, int kDigits, int kRunBlocksOf>
struct I8Multiply {
  static constexpr int kPlanes = kPlanesOf;
  static constexpr int kRunBlocks = kRunBlocksOf;
  static constexpr int kRuns = slab_runs(kRunBlocks);
  static constexpr int kColumns = 8;  ///< of mma's B: digits of vectors
  using U32 = typename W::U32;
  using F32 = typename W::F32;

  PBATCH_WARP static void run(const ProductArgs& args, const U32 (&a)[kPlanes][4], int planes,
                              int64_t row_block, int64_t slab, float* terms) {
    U32 scales[kRuns / 2];
    load_scales(args, row_block, slab, scales);
    const int columns = args.batch * (args.activation_bits / 8);
    for (int first = 0; first < columns; first += kColumns) {
      const uint32_t* const from = args.activations + slab * kSlabCols * args.activation_bits / 32;
      const U32 place = digit_place(args, first);
      U32 c[4];
      PBATCH_UNROLL
      for (int block = 0; block < kSlabBlocks; ++block) {
        if (block % kRunBlocks == 0) {
          PBATCH_UNROLL
          for (int i = 0; i < 4; ++i) c[i] = U32(0);
        }
        U32 b[2], weights[4];
        W::load_words(from + block * args.activation_bits, place, b);
        expand_block<W>(a, block / 4, block % 4, weights);
        W::mma_bytes(c, weights, b);
        if (block % kRunBlocks == kRunBlocks - 1) {
          store_terms(args, c, first, planes, slab, block / kRunBlocks, scales, terms);
        }
      }
    }
  }

 private:
  /// Those of rows g and g + 8: byte 2 * run + h.
  PBATCH_WARP static void load_scales(const ProductArgs& args, int64_t row_block, int64_t slab,
                                      U32 (&scales)[kRuns / 2]) {
    const uint32_t* const from = reinterpret_cast<const uint32_t*>(args.scales) +
                                 (row_block * args.slabs + slab) * 4 * kRuns;
    const U32 at = (W::lane() >> 2) * U32(kRuns / 2);
    if constexpr (kRuns == 2) {
      scales[0] = W::load(from, at);
    } else {
      W::load_words(from, at, scales);
    }
  }

  /// Where the 8 bytes of lane (g, t) lie in a block of vector 0: those of column first + g.
  PBATCH_WARP static U32 digit_place(const ProductArgs& args, int first) {
    const U32 parts(static_cast<uint32_t>(args.activation_bits / 8));
    const U32 column = (W::lane() >> 2) + U32(static_cast<uint32_t>(first));
    // A column that no vector fills reads the first one's; nobody looks at its sums.
    const U32 vector =
        W::select(column < U32(static_cast<uint32_t>(args.batch)) * parts, column / parts, U32(0));
    const auto stride = static_cast<uint32_t>(activation_words(args.slabs, args.activation_bits));
    return vector * U32(stride) + (column - column / parts * parts) * U32(8) +
           (W::lane() & U32(3)) * U32(2);
  }

  PBATCH_WARP static void store_terms(const ProductArgs& args, const U32 (&c)[4], int first,
                                      int planes, int64_t slab, int run,
                                      const U32 (&scales)[kRuns / 2], float* terms) {
    const int halves = halves_of(args.activation_bits);
    const auto stride = static_cast<uint32_t>(term_stride(args.slabs, kRunBlocks));
    const U32 g = W::lane() >> 2, t = W::lane() & U32(3);
    const U32 top((1u << planes) - 1);
    const U32 at(static_cast<uint32_t>(slab * kRuns + run));
    PBATCH_UNROLL
    for (int n = 0; n < 2 / kDigits; ++n) {
      // Halves of vectors, numbered over the batch.
      const U32 half = (U32(static_cast<uint32_t>(first)) + t + t + U32(static_cast<uint32_t>(n))) /
                       U32(kDigits);
      const typename W::Bool here = half < U32(static_cast<uint32_t>(args.batch * halves));
      const U32 q = W::as_unsigned(
          W::load(args.run_sums, half * U32(static_cast<uint32_t>(args.slabs * kRuns)) + at, here));
      const U32 vector = half / U32(static_cast<uint32_t>(halves));
      // half + vector * (digits - 1) * halves: terms are [batch][digits][halves].
      const U32 item =
          half + vector * U32(static_cast<uint32_t>((digits_of(args.weight_bits) - 1) * halves));
      PBATCH_UNROLL
      for (int h = 0; h < 2; ++h) {
        const U32 sum = kDigits == 1 ? c[2 * h + n] : c[2 * h] + (c[2 * h + 1] << 8);
        const U32 scale = scales[run / 2] >> (16 * (run % 2) + 8 * h) & U32(255);
        const F32 term =
            W::to_float(W::as_signed(sum + sum - q * top)) * W::to_float(W::as_signed(scale));
        W::store(terms, (item * U32(16) + g + U32(8 * h)) * U32(stride) + at, term, here);
      }
    }
  }
};

}  // namespace pbatch::cuda
