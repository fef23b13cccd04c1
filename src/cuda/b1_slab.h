// One row block x slab on bits: planes of weights x planes of activations, 128 columns at a time.
//
// The 8 columns of mma's B and C are 8 planes of the activations of one vector. Each run has an mma
// of its own, whose B is zero outside of the run. So a lane has, for rows g and g + 8 and each run,
// the counts of planes 2 t and 2 t + 1: weighed with their places they are its share of the sum.
//
// With AND, counts add up to U = sum u q, and S = 2 U - (2^p - 1) sum q. With XOR (what sm_75 has),
// popc(a ^ b) = popc(a) + popc(b) - 2 popc(a & b); from the count with b = 0, popc(a), it is
// subtracted, and of what remains, 2 popc(a & b) - popc(b), the weighed sum is S itself: popc(b)
// adds up to (2^p - 1) sum q.
#pragma once

#include "cuda/product_args.h"
#include "cuda/share_sums.h"

namespace pbatch::cuda {

/// p = kPlanes planes, 8 * kTiles bits of an activation.
template <class W, int kPlanes, int kTiles, int kRunBlocks, bool kXor>
struct B1Slab {
  static constexpr int kRuns = slab_runs(kRunBlocks);
  static constexpr int kHeld = held_sums(kRunBlocks);
  using U32 = typename W::U32;

  /// held[i] of lane (g, t): the sum numbered t * kHeld + i of row g (layout.h, "Scales"), that is
  /// U, or S with XOR. a: words of the planes, the most significant first; b: [tile][j].
  PBATCH_WARP static void sums(const U32 (&a)[kPlanes][4], const U32 (&b)[2 * kTiles],
                               U32 (&held)[kHeld]) {
    // The places of planes 2 t and 2 t + 1; the top plane of two's complement counts negative.
    const U32 t = W::lane() & U32(3);
    const U32 even = U32(1) << (t + t);
    const U32 odd = even + even;
    const U32 top = W::select(t == U32(3), U32(0) - odd, odd);
    U32 values[2 * kRuns];
    PBATCH_UNROLL
    for (int j = 0; j < 2; ++j) {
      U32 alone[kPlanes][4];  // popc(a), for XOR
      if (kXor) {
        PBATCH_UNROLL
        for (int plane = 0; plane < kPlanes; ++plane) {
          count(a[plane][2 * j], a[plane][2 * j + 1], U32(0), alone[plane]);
        }
      }
      PBATCH_UNROLL
      for (int r = 0; r < kRuns / 2; ++r) {
        U32 row[2] = {U32(0), U32(0)};
        PBATCH_UNROLL
        for (int tile = kTiles - 1; tile >= 0; --tile) {
          U32 c[4];
          weigh_planes(a, j, b[2 * tile + j] & U32(run_mask(r)), alone, c);
          PBATCH_UNROLL
          for (int h = 0; h < 2; ++h) {
            const U32 low = row[h] << 8;
            row[h] = c[2 * h] * even + c[2 * h + 1] * (tile == kTiles - 1 ? top : odd);
            if (tile != kTiles - 1) row[h] = row[h] + low;
          }
        }
        values[(j * (kRuns / 2) + r) * 2] = row[0];
        values[(j * (kRuns / 2) + r) * 2 + 1] = row[1];
      }
    }
    share_sums<W>(values);
    PBATCH_UNROLL
    for (int i = 0; i < kHeld; ++i) held[i] = values[i];
  }

 private:
  /// The bits of run r of four blocks, in a word of activations.
  static constexpr uint32_t run_mask(int r) {
    return kRunBlocks == 1   ? 0x03030303u << (2 * r)
           : kRunBlocks == 2 ? 0x0f0f0f0fu << (4 * r)
                             : 0xffffffffu;
  }

  PBATCH_WARP static void count(const U32& a0, const U32& a1, const U32& b, U32 (&c)[4]) {
    PBATCH_UNROLL
    for (int i = 0; i < 4; ++i) c[i] = U32(0);
    if constexpr (kXor) {
      W::mma_xor(c, a0, a1, b);
    } else {
      W::mma_and(c, a0, a1, b);
    }
  }

  /// c: the counts of all planes, each with its place.
  PBATCH_WARP static void weigh_planes(const U32 (&a)[kPlanes][4], int j, const U32& b,
                                       const U32 (&alone)[kPlanes][4], U32 (&c)[4]) {
    PBATCH_UNROLL
    for (int plane = 0; plane < kPlanes; ++plane) {
      U32 counts[4];
      count(a[plane][2 * j], a[plane][2 * j + 1], b, counts);
      PBATCH_UNROLL
      for (int i = 0; i < 4; ++i) {
        const U32 one = kXor ? alone[plane][i] - counts[i] : counts[i];
        c[i] = plane == 0 ? one : c[i] + c[i] + one;
      }
    }
  }
};

/// Multiplies a row block x slab by all vectors and stores the terms of its runs.
template <class W, int kPlanesOf, int kTiles, int kRunBlocksOf, bool kXor>
struct B1Multiply {
  static constexpr int kPlanes = kPlanesOf;
  static constexpr int kRunBlocks = kRunBlocksOf;
  using Slab = B1Slab<W, kPlanes, kTiles, kRunBlocks, kXor>;
  using U32 = typename W::U32;
  using I32 = typename W::I32;
  using F32 = typename W::F32;

  /// `planes` of the kPlanes are the digit's, the others zeros. `terms`: those of the first vector
  /// and this digit.
  PBATCH_WARP static void run(const ProductArgs& args, const U32 (&a)[kPlanes][4], int planes,
                              int64_t row_block, int64_t slab, float* terms) {
    constexpr int kHeld = Slab::kHeld;
    const U32 lane = W::lane();
    const U32 scales = W::template load_bytes<kHeld>(
        args.scales + (row_block * args.slabs + slab) * kLanes * kHeld, lane * U32(kHeld));
    const int halves = halves_of(args.activation_bits);
    const int64_t stride = term_stride(args.slabs, kRunBlocks);
    // Of the sum t * kHeld + i: run and row.
    const U32 first = (lane & U32(3)) * U32(kHeld);
    const U32 g = lane >> 2;
    for (int vector = 0; vector < args.batch; ++vector) {
      for (int half = 0; half < halves; ++half) {
        U32 b[2 * kTiles];
        W::load_words(args.activations +
                          vector * activation_words(args.slabs, args.activation_bits) +
                          activation_word(args.slabs, half, slab, 0, kTiles),
                      lane * U32(2 * kTiles), b);
        const int32_t* const run_sums =
            args.run_sums + ((vector * halves + half) * args.slabs + slab) * Slab::kRuns;
        U32 held[kHeld];
        Slab::sums(a, b, held);
        float* const out = terms +
                           (vector * digits_of(args.weight_bits) * halves + half) * 16 * stride +
                           slab * Slab::kRuns;
        PBATCH_UNROLL
        for (int i = 0; i < kHeld; ++i) {
          const U32 run = (first + U32(i)) >> 1, h = (first + U32(i)) & U32(1);
          U32 sum = held[i];
          if constexpr (!kXor) {
            const U32 q = W::as_unsigned(W::load(run_sums, run));
            sum = sum + sum - q * U32((1u << planes) - 1);
          } else if constexpr (kPlanes == 8) {
            // To XOR, a plane that is not there is one of zeros, which stand for -1.
            if (planes < kPlanes) {
              const U32 q = W::as_unsigned(W::load(run_sums, run));
              sum = sum + q * U32((1u << kPlanes) - (1u << planes));
            }
          }
          const F32 scale = W::to_float(W::as_signed(scales >> (8 * i) & U32(255)));
          const F32 term = W::to_float(W::as_signed(sum)) * scale;
          W::store(out, (g + h * U32(8)) * U32(static_cast<uint32_t>(stride)) + run, term);
        }
      }
    }
  }
};

}  // namespace pbatch::cuda
