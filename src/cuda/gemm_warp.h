// Larger batches: a warp multiplies one row block with 64 columns of mma's B (digits of vectors, on
// bytes), all slabs ascending, so that its accumulators stay in registers and are finished there.
// The planes become bytes once for all columns; warps of a block share the vectors.
#pragma once

#include "cuda/i8_slab.h"
#include "cuda/product_block.h"

namespace pbatch::cuda {

template <class W, int kPlanesOf, int kDigits, int kRunBlocks>
struct GemmWarp {
  static constexpr int kPlanes = kPlanesOf;
  static constexpr int kTiles = kGemmColumns / 8;
  static constexpr int kRuns = slab_runs(kRunBlocks);
  using Columns = I8Columns<W, kDigits>;
  using U32 = typename W::U32;
  using F32 = typename W::F32;
  /// Of rows g + 8 h of the n-th half of a vector: [tile][h][n].
  using Sums = F32[kTiles][2][Columns::kHalves];

  /// y of the row block and of the vectors whose digits are columns first .. first + 63.
  template <class Ring>
  PBATCH_WARP static void run(const ProductArgs& args, int64_t row_block, int first, Ring& ring) {
    const Columns columns(args, first);
    const SlabRange all = slab_range(args.slabs, 0, 1, 0, 1);
    Sums v, acc;
    // Known to be one where it must be: then v takes no registers beside acc.
    const int digits = kPlanes < 8 ? 1 : digits_of(args.weight_bits);
    for (int d = 0; d < digits; ++d) {
      const Digit digit = digit_of<kPlanes>(args, d);
      for_each([&](int tile, int h, int n) { acc[tile][h][n] = F32(0.0f); });
      for_each_slab<W, kPlanes>(args, digit, row_block, all, ring,
                                [&](const auto& a, int64_t slab) {
                                  add_slab(args, columns, a, digit.planes, row_block, slab, acc);
                                });
      for_each([&](int tile, int h, int n) {
        const F32 sum = join_halves(args, acc[tile][h][n]);
        v[tile][h][n] =
            d == 0 ? sum : v[tile][h][n] * F32(small_power_of_two(args.weight_bits - 8)) + sum;
      });
    }
    finish(args, columns, row_block, v);
  }

 private:
  template <class Fn>
  PBATCH_WARP static void for_each(const Fn& fn) {
    PBATCH_UNROLL
    for (int tile = 0; tile < kTiles; ++tile) {
      PBATCH_UNROLL
      for (int h = 0; h < 2; ++h) {
        PBATCH_UNROLL
        for (int n = 0; n < Columns::kHalves; ++n) fn(tile, h, n);
      }
    }
  }

  PBATCH_WARP static void add_slab(const ProductArgs& args, const Columns& columns,
                                   const U32 (&a)[kPlanes][4], int planes, int64_t row_block,
                                   int64_t slab, Sums& acc) {
    const I8Scales<W, kRuns> scales(args, row_block, slab);
    U32 c[kTiles][4];
    PBATCH_UNROLL
    for (int block = 0; block < kSlabBlocks; ++block) {
      U32 weights[4];
      expand_block<W>(a, block / 4, block % 4, weights);
      PBATCH_UNROLL
      for (int tile = 0; tile < kTiles; ++tile) {
        if (block % kRunBlocks == 0) {
          PBATCH_UNROLL
          for (int i = 0; i < 4; ++i) c[tile][i] = U32(0);
        }
        U32 b[2];
        columns.load(slab, block, tile, b);
        W::mma_bytes(c[tile], weights, b);
      }
      const int run = block / kRunBlocks;
      // Runs that only pad the last slab are not added: acc + 0 is not always acc.
      if (block % kRunBlocks == kRunBlocks - 1 && slab * kRuns + run < args.runs) {
        add_run(args, columns, c, planes, slab, run, scales, acc);
      }
    }
  }

  PBATCH_WARP static void add_run(const ProductArgs& args, const Columns& columns,
                                  const U32 (&c)[kTiles][4], int planes, int64_t slab, int run,
                                  const I8Scales<W, kRuns>& scales, Sums& acc) {
    PBATCH_UNROLL
    for (int tile = 0; tile < kTiles; ++tile) {
      PBATCH_UNROLL
      for (int n = 0; n < Columns::kHalves; ++n) {
        const U32 offset =
            columns.offset(columns.half(tile, n), slab * kRuns + run, args.slabs * kRuns, planes);
        PBATCH_UNROLL
        for (int h = 0; h < 2; ++h) {
          acc[tile][h][n] =
              acc[tile][h][n] + Columns::term(c[tile], h, n, offset, scales.of(run, h));
        }
      }
    }
  }

  /// The two halves of a 32-bit activation are in lanes t and t + 1: both get their number.
  PBATCH_WARP static F32 join_halves(const ProductArgs& args, const F32& acc) {
    if (kDigits == 1 || args.activation_bits < 32) return acc;
    const F32 other = W::shuffle_xor(acc, 1);
    const typename W::Bool is_low = (W::lane() & U32(1)) != U32(0);
    return W::select(is_low, other, acc) * F32(32768.0f) + W::select(is_low, acc, other);
  }

  PBATCH_WARP static void finish(const ProductArgs& args, const Columns& columns, int64_t row_block,
                                 const Sums& v) {
    const int halves = halves_of(args.activation_bits);
    const int64_t rows_left = args.rows - row_block * 16;
    const U32 limit(static_cast<uint32_t>(rows_left < 16 ? rows_left : 16));
    for_each([&](int tile, int h, int n) {
      const U32 half = columns.half(tile, n);
      const U32 row = (W::lane() >> 2) + U32(8 * h);
      const typename W::Bool here =
          columns.is_there(half) & (row < limit) & ((half & U32(halves - 1)) == U32(0));
      store_result<W>(args, row_block, row, half >> (halves - 1), v[tile][h][n], here);
    });
  }
};

}  // namespace pbatch::cuda
