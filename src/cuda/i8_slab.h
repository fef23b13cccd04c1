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

/// Digits of vectors, the columns of mma's B and C, from `first` on: which one a lane loads, and
/// which sums it has. kDigits: bytes of half an activation, 1 or 2; columns are vectors' halves'
/// digits.
template <class W, int kDigits>
class I8Columns {
 public:
  static constexpr int kColumns = 8;  ///< of one mma
  /// Sums that a lane has of one mma: rows g, g + 8 of this many halves of vectors.
  static constexpr int kHalves = 2 / kDigits;
  using U32 = typename W::U32;

  PBATCH_WARP I8Columns(const ProductArgs& args, int first) : args_(args), first_(first) {
    const U32 parts(static_cast<uint32_t>(args.activation_bits / 8));
    const U32 column = W::lane() >> 2;
    const U32 vector = column / parts;
    in_vector_ = (column - vector * parts) * U32(8) + (W::lane() & U32(3)) * U32(2);
    vector_ = vector + U32(static_cast<uint32_t>(first / (args.activation_bits / 8)));
  }

  /// The operand B of a block: the 8 bytes of lane (g, t) of column first + 8 * tile + g. A column
  /// that no vector fills reads the first one's; nobody looks at its sums.
  PBATCH_WARP void load(int64_t slab, int block, int tile, U32 (&b)[2]) const {
    const int bits = args_.activation_bits;
    const U32 vector = vector_ + U32(static_cast<uint32_t>(tile * kColumns / (bits / 8)));
    const U32 stride(static_cast<uint32_t>(activation_words(args_.slabs, bits)));
    const U32 start =
        W::select(vector < U32(static_cast<uint32_t>(args_.batch)), vector * stride, U32(0));
    W::load_words(args_.activations + (slab * kSlabBlocks + block) * bits, start + in_vector_, b);
  }

  /// The n-th half of a vector whose sums this lane has, numbered over the batch.
  PBATCH_WARP U32 half(int tile, int n) const {
    const U32 t = W::lane() & U32(3);
    return (U32(static_cast<uint32_t>(first_ + tile * kColumns + n)) + t + t) / U32(kDigits);
  }
  PBATCH_WARP typename W::Bool is_there(const U32& half) const {
    return half < U32(static_cast<uint32_t>(args_.batch * halves_of(args_.activation_bits)));
  }

  /// (2^planes - 1) sum q of a run of that half.
  PBATCH_WARP U32 offset(const U32& half, int64_t run, int64_t padded_runs, int planes) const {
    const U32 at = half * U32(static_cast<uint32_t>(padded_runs)) + U32(static_cast<uint32_t>(run));
    return W::as_unsigned(W::load(args_.run_sums, at, is_there(half))) * U32((1u << planes) - 1);
  }

  /// The term of row g + 8 h: fl(fl(S) * fl(scale)).
  PBATCH_WARP static typename W::F32 term(const U32 (&c)[4], int h, int n, const U32& offset,
                                          const U32& scale) {
    const U32 sum = kDigits == 1 ? c[2 * h + n] : c[2 * h] + (c[2 * h + 1] << 8);
    return W::to_float(W::as_signed(sum + sum - offset)) * W::to_float(W::as_signed(scale));
  }

 private:
  const ProductArgs& args_;
  int first_;
  U32 in_vector_, vector_;
};

/// The scales of a slab, of rows g and g + 8: byte 2 * run + h.
template <class W, int kRuns>
class I8Scales {
 public:
  using U32 = typename W::U32;
  PBATCH_WARP I8Scales(const ProductArgs& args, int64_t row_block, int64_t slab) {
    const uint32_t* const from = reinterpret_cast<const uint32_t*>(args.scales) +
                                 (row_block * args.slabs + slab) * 4 * kRuns;
    const U32 at = (W::lane() >> 2) * U32(kRuns / 2);
    if constexpr (kRuns == 2) {
      words_[0] = W::load(from, at);
    } else {
      W::load_words(from, at, words_);
    }
  }
  PBATCH_WARP U32 of(int run, int h) const {
    return words_[run / 2] >> (16 * (run % 2) + 8 * h) & U32(255);
  }

 private:
  U32 words_[kRuns / 2];
};

/// As B1Multiply, with activations for bytes.
template <class W, int kPlanesOf, int kDigits, int kRunBlocksOf>
struct I8Multiply {
  static constexpr int kPlanes = kPlanesOf;
  static constexpr int kRunBlocks = kRunBlocksOf;
  static constexpr int kRuns = slab_runs(kRunBlocks);
  using Columns = I8Columns<W, kDigits>;
  using U32 = typename W::U32;

  PBATCH_WARP static void run(const ProductArgs& args, const U32 (&a)[kPlanes][4], int planes,
                              int64_t row_block, int64_t slab, float* terms) {
    const I8Scales<W, kRuns> scales(args, row_block, slab);
    const int count = args.batch * (args.activation_bits / 8);
    for (int first = 0; first < count; first += Columns::kColumns) {
      const Columns columns(args, first);
      U32 c[4];
      PBATCH_UNROLL
      for (int block = 0; block < kSlabBlocks; ++block) {
        if (block % kRunBlocks == 0) {
          PBATCH_UNROLL
          for (int i = 0; i < 4; ++i) c[i] = U32(0);
        }
        U32 b[2], weights[4];
        columns.load(slab, block, 0, b);
        expand_block<W>(a, block / 4, block % 4, weights);
        W::mma_bytes(c, weights, b);
        if (block % kRunBlocks == kRunBlocks - 1) {
          store_terms(args, columns, c, planes, slab, block / kRunBlocks, scales, terms);
        }
      }
    }
  }

 private:
  PBATCH_WARP static void store_terms(const ProductArgs& args, const Columns& columns,
                                      const U32 (&c)[4], int planes, int64_t slab, int run,
                                      const I8Scales<W, kRuns>& scales, float* terms) {
    const int halves = halves_of(args.activation_bits);
    const U32 stride(static_cast<uint32_t>(term_stride(args.slabs, kRunBlocks)));
    const int64_t at = slab * kRuns + run;
    PBATCH_UNROLL
    for (int n = 0; n < Columns::kHalves; ++n) {
      const U32 half = columns.half(0, n);
      const U32 offset = columns.offset(half, at, args.slabs * kRuns, planes);
      const U32 vector = half / U32(static_cast<uint32_t>(halves));
      // Terms are [batch][digits][halves].
      const U32 item =
          half + vector * U32(static_cast<uint32_t>((digits_of(args.weight_bits) - 1) * halves));
      PBATCH_UNROLL
      for (int h = 0; h < 2; ++h) {
        const U32 row = item * U32(16) + (W::lane() >> 2) + U32(8 * h);
        W::store(terms, row * stride + U32(static_cast<uint32_t>(at)),
                 Columns::term(c, h, n, offset, scales.of(run, h)), columns.is_there(half));
      }
    }
  }
};

}  // namespace pbatch::cuda
