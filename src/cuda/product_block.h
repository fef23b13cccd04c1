// What a block of warps does for one row block: terms of runs, in any order, then their sum, in
// ascending order, and the epilogue. The parts between which all warps meet are functions.
#pragma once

#include "cuda/product_args.h"

namespace pbatch::cuda {

/// The most warps of a block.
inline constexpr int kMaxWarps = 8;

/// Slabs in flight for a warp, and one: about 4 KiB.
PBATCH_HD constexpr int ring_stages(int planes) {
  return planes == 1 ? 8 : planes == 2 ? 5 : planes == 3 ? 4 : planes <= 6 ? 3 : 2;
}

/// Bytes of shared memory that a warp's ring takes.
PBATCH_HD constexpr int64_t ring_bytes(int planes) { return ring_stages(planes) * planes * 512; }

/// Of `slabs`, those of one split and warp: first, first + step, ... below end.
struct SlabRange {
  int64_t first, end;
  int step;
};
PBATCH_HD constexpr SlabRange slab_range(int64_t slabs, int split, int splits, int warp,
                                         int warps) {
  return {slabs * split / splits + warp, slabs * (split + 1) / splits, warps};
}

/// The planes of one digit, and of the kPlanes of a kernel those that are not there: two digits are
/// multiplied as 8 planes each, and what the second has fewer of are zeros on top.
struct Digit {
  int planes, absent;
  const uint32_t* words;  ///< those of plane 0 of the kernel, of row block 0
};
template <int kPlanes>
PBATCH_HD constexpr Digit digit_of(const ProductArgs& args, int digit) {
  const int planes = args.weight_bits <= 8 ? kPlanes : digit == 0 ? 8 : args.weight_bits - 8;
  const int absent = kPlanes - planes;
  return {planes, absent, args.planes + (8 * digit - absent) * args.plane_stride};
}

/// Calls multiply(a, slab) for every slab of `range`, ascending: a[kPlanes][4] are the words of the
/// digit's planes.
template <class W, int kPlanes, class Ring, class Fn>
PBATCH_WARP void for_each_slab(const ProductArgs& args, const Digit& digit, int64_t row_block,
                               const SlabRange& range, Ring& ring, const Fn& multiply) {
  using U32 = typename W::U32;
  constexpr int kStages = ring_stages(kPlanes);
  const uint32_t* const from = digit.words + row_block * args.slabs * kSlabWords;
  const auto fetch = [&](int64_t slab, int stage) {
    if (slab < range.end) {
      PBATCH_UNROLL
      for (int plane = 0; plane < kPlanes; ++plane) {
        if (kPlanes < 8 || plane >= digit.absent) {
          ring.copy(stage * kPlanes + plane, from + plane * args.plane_stride + slab * kSlabWords);
        }
      }
    }
    ring.commit();
  };
  for (int stage = 0; stage < kStages - 1; ++stage) {
    fetch(range.first + stage * range.step, stage);
  }
  // Which made the activations and used the terms before. Weights are complete when they are there.
  W::wait_for_earlier_work();
  int stage = 0, last = kStages - 1;
  for (int64_t slab = range.first; slab < range.end; slab += range.step) {
    ring.template wait<kStages - 2>();
    U32 a[kPlanes][4];
    PBATCH_UNROLL
    for (int plane = 0; plane < kPlanes; ++plane) {
      if (kPlanes < 8 || plane >= digit.absent) {
        ring.read(stage * kPlanes + plane, a[plane]);
      } else {
        PBATCH_UNROLL
        for (int k = 0; k < 4; ++k) a[plane][k] = U32(0);
      }
    }
    // Into the stage that was read, and used, the time before.
    fetch(slab + (kStages - 1) * range.step, last);
    multiply(a, slab);
    last = stage;
    stage = stage + 1 == kStages ? 0 : stage + 1;
  }
  ring.template wait<0>();
}

/// Multiplies the row block x `range` and leaves the terms of their runs in
/// `terms`: [batch][digits][halves][16][term_stride].
template <class W, class Multiply, class Ring>
PBATCH_WARP void multiply_slabs(const ProductArgs& args, int64_t row_block, const SlabRange& range,
                                Ring& ring, float* terms) {
  constexpr int kPlanes = Multiply::kPlanes;
  const int64_t digit_terms =
      halves_of(args.activation_bits) * 16 * term_stride(args.slabs, Multiply::kRunBlocks);
  for (int d = 0; d < digits_of(args.weight_bits); ++d) {
    const Digit digit = digit_of<kPlanes>(args, d);
    for_each_slab<W, kPlanes>(
        args, digit, row_block, range, ring, [&](const auto& a, int64_t slab) {
          Multiply::run(args, a, digit.planes, row_block, slab, terms + d * digit_terms);
        });
  }
}

/// The sum of `runs` terms of each lane, ascending; a multiple of 4 of them can be read.
template <class W>
PBATCH_WARP typename W::F32 add_terms(const float* terms, const typename W::U32& first,
                                      int64_t runs) {
  using U32 = typename W::U32;
  typename W::F32 acc(0.0f);
  for (int64_t run = 0; run < runs; run += 4) {
    typename W::F32 four[4];
    W::load_words(terms, first + U32(static_cast<uint32_t>(run)), four);
    PBATCH_UNROLL
    for (int k = 0; k < 4; ++k) {
      if (run + k < runs) acc = acc + four[k];
    }
  }
  return acc;
}

/// 2^e for -16 <= e <= 8.
PBATCH_HD inline float small_power_of_two(int e) {
  return e >= 0 ? static_cast<float>(1 << e) : 1.0f / static_cast<float>(1 << -e);
}

/// The end of the epilogue: y of a row (of the block) and vector, where `here`.
template <class W>
PBATCH_WARP void store_result(const ProductArgs& args, int64_t row_block,
                              const typename W::U32& row, const typename W::U32& vector,
                              const typename W::F32& v, const typename W::Bool& here) {
  using U32 = typename W::U32;
  using F32 = typename W::F32;
  const int64_t row0 = row_block * 16;
  const F32 row_scale = W::load(args.row_scale + row0, row, here);
  const F32 vector_scale = W::load(args.activation_scales, vector, here);
  F32 y = (v * (row_scale * F32(small_power_of_two(-args.weight_bits)))) * vector_scale;
  if (args.bias != nullptr) y = y + W::load(args.bias + row0, row, here);
  if (args.activation == Activation::relu) y = W::select(y < F32(0.0f), F32(0.0f), y);
  W::store(args.y + row0, vector * U32(static_cast<uint32_t>(args.ldy)) + row, y, here);
}

/// The end of a row block: adds the terms of each row and writes y, as kernel/epilogue.h says. One
/// lane for each row and vector, numbered vector * 16 + row, of which this warp has 32 from
/// `first`.
template <class W>
PBATCH_WARP void finish_rows(const ProductArgs& args, int64_t row_block, const float* terms,
                             int first) {
  using U32 = typename W::U32;
  using F32 = typename W::F32;
  const int digits = digits_of(args.weight_bits), halves = halves_of(args.activation_bits);
  const U32 stride(static_cast<uint32_t>(term_stride(args.slabs, args.run_blocks)));
  const U32 index = W::lane() + U32(static_cast<uint32_t>(first));
  const U32 row = index & U32(15);
  const int64_t rows_left = args.rows - row_block * 16;
  const typename W::Bool here = (index < U32(static_cast<uint32_t>(args.batch * 16))) &
                                (row < U32(static_cast<uint32_t>(rows_left < 16 ? rows_left : 16)));
  // A lane without a row reads another's, and writes nothing.
  const U32 vector = W::select(here, index >> 4, U32(0));
  F32 v(0.0f);
  for (int digit = 0; digit < digits; ++digit) {
    F32 d(0.0f);
    for (int half = 0; half < halves; ++half) {
      const U32 item = (vector * U32(digits) + U32(digit)) * U32(halves) + U32(half);
      const F32 acc = add_terms<W>(terms, (item * U32(16) + row) * stride, args.runs);
      d = half == 0 ? acc : d * F32(32768.0f) + acc;
    }
    v = digit == 0 ? d : v * F32(small_power_of_two(args.weight_bits - 8)) + d;
  }
  store_result<W>(args, row_block, row, vector, v, here);
}

}  // namespace pbatch::cuda
