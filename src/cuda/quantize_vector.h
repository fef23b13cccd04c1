// Quantizing a vector on the device, to the bits of the CPU's (kernel.h): by warps, which meet
// between the largest magnitude and the rest. Slabs do not depend on each other.
#pragma once

#include "accelerator/data_flags.h"
#include "cuda/layout.h"
#include "cuda/product_args.h"

namespace pbatch::cuda {

/// A batch of vectors to quantize. Pointers as in ProductArgs.
struct QuantizeArgs {
  const float* x;  ///< [batch][ldx], cols of each
  int64_t ldx;
  int64_t cols, slabs;
  int run_blocks;
  int activation_bits;
  int batch;
  /// out: [batch][activation_words()], for bits or for bytes (layout.h)
  uint32_t* activations;
  int32_t* run_sums;         ///< out: [batch][halves][slabs][runs of a slab]
  float* activation_scales;  ///< out: [batch]
  uint32_t*
      flag;  ///< gets kFlagNotFinite if an element is NaN or infinite; the rest is undefined then
};

/// What a vector is multiplied with, from the bits of its largest magnitude.
struct VectorScale {
  float scale, inverse;
  bool is_finite;
};
template <class W>
PBATCH_WARP VectorScale vector_scale(uint32_t magnitude, int activation_bits) {
  const float qmax = static_cast<float>(activation_bits == 8    ? 127
                                        : activation_bits == 16 ? 32639
                                                                : 1 << 29);
  const uint32_t infinity = 0x7f800000u;
  const float max = W::uniform_float_of(magnitude);
  if (magnitude >= infinity || max < 0x1p-90f) return {0.0f, 0.0f, magnitude < infinity};
  return {max / qmax, qmax / max, true};
}

/// The largest of all lanes.
template <class W>
PBATCH_WARP typename W::U32 largest_of_lanes(typename W::U32 x) {
  PBATCH_UNROLL
  for (int mask = 16; mask > 0; mask /= 2) {
    const typename W::U32 other = W::shuffle_xor(x, mask);
    x = W::select(x < other, other, x);
  }
  return x;
}

/// The bits of the largest magnitude among x[first + lane], x[first + step + lane], ..., in every
/// lane. As integers they compare as the floats do, infinities and NaN above all.
template <class W>
PBATCH_WARP typename W::U32 largest_magnitude(const float* x, int64_t cols, int64_t first,
                                              int64_t step) {
  using U32 = typename W::U32;
  U32 largest(0);
  for (int64_t col = first; col < cols; col += step) {
    const typename W::Bool here =
        W::lane() < U32(static_cast<uint32_t>(cols - col < kLanes ? cols - col : kLanes));
    const U32 bits = W::bits_of(W::load(x + col, W::lane(), here)) & U32(0x7fffffffu);
    largest = W::select(largest < bits, bits, largest);
  }
  return largest_of_lanes<W>(largest);
}

/// q of kernel.h, of 32 elements.
template <class W, int kBits>
PBATCH_WARP typename W::I32 quantize_lanes(const typename W::F32& x, float inverse) {
  using U32 = typename W::U32;
  using F32 = typename W::F32;
  const F32 v = x * F32(inverse);
  if constexpr (kBits < 32) {
    // The sum has no fraction left, and q in its low bits; no limit is needed (quantize_generic).
    return W::as_signed(W::bits_of(v + F32(0x1.8p23f)) - U32(0x4b400000u));
  } else {
    const float qmax = static_cast<float>(1 << 29);
    const U32 bits = W::bits_of(v), sign = bits & U32(0x80000000u);
    const F32 big = W::float_of(sign | U32(0x4b000000u));
    // From 2^23 on a float is an integer already.
    F32 rounded = W::select((bits - sign) < U32(0x4b000000u), (v + big) - big, v);
    rounded = W::select(rounded > F32(qmax), F32(qmax), rounded);
    rounded = W::select(rounded < F32(-qmax), F32(-qmax), rounded);
    return W::to_int(rounded);
  }
}

/// Half `half` of q.
template <class W, int kBits>
PBATCH_WARP typename W::I32 half_of(const typename W::I32& q, int half) {
  using I32 = typename W::I32;
  if constexpr (kBits < 32) return q;
  const I32 high = (q + I32(16384)) >> 15;
  return half == 0 ? high : q - I32(32768) * high;
}

/// Adds lanes whose numbers differ only in the bits of `mask`.
template <class W>
PBATCH_WARP typename W::I32 add_lanes(typename W::I32 x, int mask) {
  PBATCH_UNROLL
  for (int bit = 1; bit < kLanes; bit *= 2) {
    if ((mask & bit) != 0) x = x + W::shuffle_xor(x, bit);
  }
  return x;
}

/// Quantizes one slab of one vector and packs it for bits. `activations`, `run_sums`: the vector's.
template <class W, int kBits>
PBATCH_WARP void quantize_slab_to_bits(const float* x, int64_t cols, int64_t slabs, int64_t slab,
                                       int run_blocks, float inverse, uint32_t* activations,
                                       int32_t* run_sums) {
  using U32 = typename W::U32;
  using I32 = typename W::I32;
  constexpr int kTiles = activation_tiles(kBits), kHalves = halves_of(kBits);
  const U32 lane = W::lane();
  const int64_t cols_left = cols - slab * kSlabCols;
  const U32 limit(static_cast<uint32_t>(cols_left < kSlabCols ? cols_left : kSlabCols));
  U32 words[kHalves][2 * kTiles];
  PBATCH_UNROLL
  for (int j = 0; j < 2; ++j) {
    I32 sums[kHalves];
    PBATCH_UNROLL
    for (int half = 0; half < kHalves; ++half) sums[half] = I32(0);
    PBATCH_UNROLL
    for (int t = 0; t < 4; ++t) {
      // Lane i has the column of bit i (column_at), so a ballot is a word.
      const U32 col = (lane >> 1 & U32(3)) * U32(32) + (lane & U32(1)) * U32(4) + (lane >> 3) +
                      U32(static_cast<uint32_t>(128 * j + 8 * t));
      const I32 q =
          quantize_lanes<W, kBits>(W::load(x + slab * kSlabCols, col, col < limit), inverse);
      PBATCH_UNROLL
      for (int half = 0; half < kHalves; ++half) {
        const I32 value = half_of<W, kBits>(q, half);
        sums[half] = sums[half] + value;
        PBATCH_UNROLL
        for (int bit = 0; bit < 8 * kTiles; ++bit) {
          const U32 word(W::ballot((W::as_unsigned(value) >> bit & U32(1)) != U32(0)));
          U32& mine = words[half][bit / 8 * 2 + j];
          const U32 owner(static_cast<uint32_t>(bit % 8 * 4 + t));
          mine = t == 0 && bit % 8 == 0 ? word : W::select(lane == owner, word, mine);
        }
      }
    }
    PBATCH_UNROLL
    for (int half = 0; half < kHalves; ++half) {
      // Lane bits 1 and 2 number the blocks.
      I32 sum = add_lanes<W>(sums[half], 1 | 8 | 16);
      if (run_blocks >= 2) sum = add_lanes<W>(sum, 2);
      if (run_blocks == 4) sum = add_lanes<W>(sum, 4);
      const int runs = slab_runs(run_blocks);
      const U32 first_lane = lane & U32(static_cast<uint32_t>(2 * run_blocks - 1));
      const typename W::Bool mine = (lane < U32(8)) & (first_lane == U32(0));
      const U32 run = lane >> (run_blocks == 1 ? 1 : run_blocks == 2 ? 2 : 3);
      W::store(run_sums + (half * slabs + slab) * runs + j * (runs / 2), run, sum, mine);
    }
  }
  PBATCH_UNROLL
  for (int half = 0; half < kHalves; ++half) {
    W::store_words(activations + activation_word(slabs, half, slab, 0, kTiles),
                   lane * U32(2 * kTiles), words[half]);
  }
}

/// The same for bytes.
template <class W, int kBits>
PBATCH_WARP void quantize_slab_to_bytes(const float* x, int64_t cols, int64_t slabs, int64_t slab,
                                        int run_blocks, float inverse, uint32_t* activations,
                                        int32_t* run_sums) {
  using U32 = typename W::U32;
  using I32 = typename W::I32;
  constexpr int kHalves = halves_of(kBits), kDigits = kBits == 8 ? 1 : 2;
  const U32 lane = W::lane();
  const int64_t cols_left = cols - slab * kSlabCols;
  const U32 limit(static_cast<uint32_t>(cols_left < kSlabCols ? cols_left : kSlabCols));
  uint8_t* const out = reinterpret_cast<uint8_t*>(activations) + slab * (kSlabCols * kBits / 8);
  I32 sums[kHalves];
  PBATCH_UNROLL
  for (int block = 0; block < kSlabBlocks; ++block) {
    const U32 col = lane + U32(static_cast<uint32_t>(32 * block));
    const I32 q =
        quantize_lanes<W, kBits>(W::load(x + slab * kSlabCols, col, col < limit), inverse);
    const bool begins = block % run_blocks == 0, ends = (block + 1) % run_blocks == 0;
    PBATCH_UNROLL
    for (int half = 0; half < kHalves; ++half) {
      const I32 value = half_of<W, kBits>(q, half);
      PBATCH_UNROLL
      for (int digit = 0; digit < kDigits; ++digit) {
        // What the low byte, as a signed one, leaves over.
        const I32 number = digit == 0 ? value : (value + I32(128)) >> 8;
        W::store_byte(out + (block * kHalves * kDigits + half * kDigits + digit) * 32, lane,
                      W::as_unsigned(number));
      }
      sums[half] = begins ? value : sums[half] + value;
      if (ends) {
        W::store(run_sums + (half * slabs + slab) * slab_runs(run_blocks) + block / run_blocks,
                 lane, add_lanes<W>(sums[half], 31), lane == U32(0));
      }
    }
  }
}

}  // namespace pbatch::cuda
