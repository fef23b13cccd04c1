// The frame of the bytes kernels of neon and neon_dot: planes become weights in registers, so that
// memory gives exactly the bits of the planes (kLayoutRowLanes).
//
// A 16-byte register of a plane holds four rows, 32 columns each. The planes are transposed as bit
// matrices into fields of F = 1, 2, 4 or 8 bits that hold whole weights: bits F m and above of each
// byte of register k are the weights of the columns F m + k, 8 + F m + k, 16 + F m + k, 24 + F m +
// k of a row. Fields that share four bits are masked out in their places; each place has a sum of
// its own, which is shifted down once a run.
#pragma once

#include "kernel/neon/common.h"

namespace pbatch {
namespace {

// Fixed by the ISA's class Products, planes P, activation digits NX and columns NV.
template <class M, int P, int NX, int NV>
struct BytesTile {
  static constexpr int kPlanes = P, kDigits = NX, kColumns = NV;
  static constexpr int kFieldBits = field_bits(P);
  static constexpr int kPlaces = kFieldBits == 8 ? 1 : 4 / kFieldBits;
  typedef typename M::template Sum<largest_weight(P), NX, 8 / kPlaces> Sum;

  const uint8_t* planes[P];  // least significant first
  const uint8_t* scales;
  Column columns[NV];
  float32x4_t acc[NV][kQuads];
};

template <class T>
struct BytesSums {
  typename T::Sum of[T::kPlaces][T::kColumns][T::kDigits];
};

// Exchanges the bits of `low` whose number has `step` set with those of `high` that have it clear.
template <int step>
inline void exchange(uint8x16_t& low, uint8x16_t& high) {
  const uint8x16_t old = high;
  if constexpr (step == 4) {
    high = vsriq_n_u8(high, low, 4);
    low = vsliq_n_u8(low, old, 4);
  } else {
    const uint8x16_t clear = vdupq_n_u8(step == 2 ? 0x33 : 0x55);
    high = vbslq_u8(clear, vshrq_n_u8(low, step), high);
    low = vbslq_u8(clear, low, vshlq_n_u8(old, step));
  }
}

// The same where `high` is zero.
template <int step>
inline void split(uint8x16_t& low, uint8x16_t& high) {
  const uint8x16_t clear = vdupq_n_u8(step == 4 ? 0x0f : step == 2 ? 0x33 : 0x55);
  high = vshrq_n_u8(low, step);
  if (step < 4) high = vandq_u8(high, clear);
  low = vandq_u8(low, clear);
}

// Bit r of field m of register k and bit k of field m of register r change places. Registers from P
// on are zero and need not be set.
template <int P, int step = 1>
inline void transpose_fields(uint8x16_t* registers) {
  if constexpr (step < field_bits(P)) {
    for (int group = 0; group < field_bits(P); group += 2 * step) {
#pragma GCC unroll 4
      for (int r = group; r < group + step; ++r) {
        // What was zero has met only the others of an aligned group of `step` registers so far.
        if (group + step < P) {
          exchange<step>(registers[r], registers[r + step]);
        } else if (group < P) {
          split<step>(registers[r], registers[r + step]);
        }
      }
    }
    transpose_fields<P, 2 * step>(registers);
  }
}

// Field m of each byte, in its place among four bits.
template <int F>
inline uint8x16_t field(uint8x16_t bytes, int m) {
  if (F == 8) return bytes;
  const int place = F * m % 4;
  if (F * (m + 1) == 8 && place == 0) return vshrq_n_u8(bytes, 4);
  const uint8x16_t four = F * m < 4 ? bytes : vshrq_n_u8(bytes, 4);
  return vandq_u8(four, vdupq_n_u8((uint8_t)(((1 << F) - 1) << place)));
}

// Step t takes column t of each eight.
template <class T, int t = 0>
inline void add_steps(const uint8x16_t* registers, const int8x16_t (*x)[T::kDigits][2],
                      BytesSums<T>& sums) {
  constexpr int F = T::kFieldBits, m = t / F;
  const int8x16_t w = vreinterpretq_s8_u8(field<F>(registers[t % F], m));
#pragma GCC unroll 4
  for (int n = 0; n < T::kColumns; ++n) {
#pragma GCC unroll 2
    for (int d = 0; d < T::kDigits; ++d) {
      sums.of[m % T::kPlaces][n][d].template multiply<t>(w, x[n][d]);
    }
  }
  if constexpr (t < 7) add_steps<T, t + 1>(registers, x, sums);
}

// The bytes t, 8 + t, 16 + t, 24 + t together, as the registers hold their weights.
template <class T>
inline void load_by_eights(const Column& column, int64_t block, int8x16_t (*x)[2]) {
  static const uint8_t kOrder[32] = {0, 8,  16, 24, 1, 9,  17, 25, 2, 10, 18, 26, 3, 11, 19, 27,
                                     4, 12, 20, 28, 5, 13, 21, 29, 6, 14, 22, 30, 7, 15, 23, 31};
  load_digits<T::kDigits>(column, block, x);
#pragma GCC unroll 2
  for (int d = 0; d < T::kDigits; ++d) {
    const int8x16x2_t both = {{x[d][0], x[d][1]}};
    x[d][0] = vqtbl2q_s8(both, vld1q_u8(kOrder));
    x[d][1] = vqtbl2q_s8(both, vld1q_u8(kOrder + 16));
  }
}

template <class T>
inline void add_block(const T& t, int64_t block, int quad, BytesSums<T>& sums) {
  uint8x16_t registers[T::kFieldBits];
#pragma GCC unroll 8
  for (int r = 0; r < T::kPlanes; ++r) {
    registers[r] = vld1q_u8(t.planes[r] + block * kBlockBytes + 16 * quad);
  }
  if (T::kPlanes == 8) registers[7] = vmvnq_u8(registers[7]);  // u - 128
  transpose_fields<T::kPlanes>(registers);
  int8x16_t x[T::kColumns][T::kDigits][2];
#pragma GCC unroll 4
  for (int n = 0; n < T::kColumns; ++n) load_by_eights<T>(t.columns[n], block, x[n]);
  add_steps<T>(registers, x, sums);
}

template <class T>
inline void clear(BytesSums<T>& sums) {
#pragma GCC unroll 4
  for (int place = 0; place < T::kPlaces; ++place) {
#pragma GCC unroll 4
    for (int n = 0; n < T::kColumns; ++n) {
#pragma GCC unroll 2
      for (int d = 0; d < T::kDigits; ++d) sums.of[place][n][d].clear();
    }
  }
}

template <class T>
inline int32x4_t twice_products(const BytesSums<T>& sums, int n) {
  int32x4_t twice = vdupq_n_s32(0);
#pragma GCC unroll 4
  for (int place = 0; place < T::kPlaces; ++place) {
    int32x4_t half = sums.of[place][n][0].total();
    if constexpr (T::kDigits == 2) {
      half = vaddq_s32(half, vshlq_n_s32(sums.of[place][n][1].total(), 8));
    }
    const int shift = T::kFieldBits * place;
    twice = vaddq_s32(twice, shift == 0 ? vaddq_s32(half, half) : half >> (shift - 1));
  }
  return twice;
}

template <class T>
inline void run_quad(int n_planes, int64_t run, int64_t begin, int64_t end, int quad, T& t) {
  BytesSums<T> sums;
  clear(sums);
  for (int64_t block = begin; block < end; ++block) add_block(t, block, quad, sums);
  const float32x4_t scales = load_scales(t.scales + run * kBlockRows + 4 * quad);
#pragma GCC unroll 4
  for (int n = 0; n < T::kColumns; ++n) {
    const int32x4_t rest = correction(n_planes, t.columns[n].run_sums[run]);
    const int32x4_t s = vaddq_s32(twice_products(sums, n), rest);
    t.acc[n][quad] = add_run(t.acc[n][quad], s, scales);
  }
}

template <class T>
void run_tile(const BitKernelArgs* args, int64_t row_block, int64_t first_column) {
  const int64_t runs = (args->col_blocks + args->run_blocks - 1) / args->run_blocks;
  T t;
  for (int r = 0; r < T::kPlanes; ++r) {
    t.planes[r] = args->planes[T::kPlanes - 1 - r] + row_block * args->col_blocks * kBlockBytes;
  }
  t.scales = args->scales + row_block * runs * kBlockRows;
  for (int n = 0; n < T::kColumns; ++n) t.columns[n] = column_at(args, runs, first_column + n);
  memset(t.acc, 0, sizeof t.acc);
  for (int64_t run = 0; run < runs; ++run) {
    const int64_t begin = run * args->run_blocks;
    const int64_t end = min_of(begin + args->run_blocks, args->col_blocks);
    for (int quad = 0; quad < kQuads; ++quad) {
      run_quad(args->n_planes, run, begin, end, quad, t);
    }
  }
  for (int n = 0; n < T::kColumns; ++n) {
    memcpy(t.columns[n].acc + row_block * kBlockRows, t.acc[n], sizeof t.acc[n]);
  }
}

// All columns from `first` on, in tiles of NV of them, then of half as many.
template <class M, int P, int NX, int NV>
inline void run_columns(const BitKernelArgs* args, int64_t row_block, int64_t first) {
  const int64_t columns = args->batch * activation_halves(args->activation_bits);
  for (; first + NV <= columns; first += NV) {
    run_tile<BytesTile<M, P, NX, NV>>(args, row_block, first);
  }
  if constexpr (NV > 1) run_columns<M, P, NX, NV / 2>(args, row_block, first);
}

template <class M, int P>
void run_planes(const BitKernelArgs* args, int64_t row_block_begin, int64_t row_block_end) {
  // Places take sums; where there is one, transposing is what columns should share.
  constexpr int kDigits = field_bits(P) < 4 ? M::kBatchDigits : 4;
  for (int64_t row_block = row_block_begin; row_block < row_block_end; ++row_block) {
    if (args->activation_bits == 8) {
      run_columns<M, P, 1, kDigits>(args, row_block, 0);
    } else {
      run_columns<M, P, 2, kDigits / 2>(args, row_block, 0);
    }
  }
}

template <class M>
void run_bytes(const BitKernelArgs* args, int64_t row_block_begin, int64_t row_block_end) {
  typedef void (*RunFn)(const BitKernelArgs*, int64_t, int64_t);
  static const RunFn kRun[8] = {run_planes<M, 1>, run_planes<M, 2>, run_planes<M, 3>,
                                run_planes<M, 4>, run_planes<M, 5>, run_planes<M, 6>,
                                run_planes<M, 7>, run_planes<M, 8>};
  kRun[args->n_planes - 1](args, row_block_begin, row_block_end);
}

}  // namespace
}  // namespace pbatch
