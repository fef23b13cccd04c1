// The frame of the fields kernels of neon and neon_dot: weights that were repacked into fields of
// 1, 2, 4 or 8 bits (kLayoutFields) are multiplied as they come from memory.
//
// A 16-byte register holds four columns of four rows, once for each row block of a band. The upper
// four bits of the bytes are shifted down, so that weights are small positive bytes; row blocks
// that still share four bits are told apart by nested masks: the sum with the bits below some place
// is subtracted, once a run, from the sum with the bits below the next.
#pragma once

#include "kernel/neon/common.h"

namespace pbatch {
namespace {

// The most row quads, 1, 2 or 4, of which `each` sums fit.
constexpr int quads_that_fit(int sums, int each) {
  return sums >= 4 * each ? 4 : sums >= 2 * each ? 2 : 1;
}

constexpr int at_least_one(int n) { return n < 1 ? 1 : n; }

// Fixed by the ISA's class Products, planes at most P, bands NB, activation digits NX and columns
// NV.
template <class M, int P, int NB, int NX, int NV>
struct FieldsTile {
  typedef typename M::template Sum<largest_weight(P), NX, 8> Sum;
  static constexpr int kPlanes = P, kBands = NB, kDigits = NX, kColumns = NV;
  static constexpr int kFieldBits = field_bits(P);
  static constexpr int kMasks = 8 / kFieldBits;           // row blocks in a band
  static constexpr int kParts = kFieldBits == 8 ? 1 : 2;  // of a byte: whole, or upper and lower
  static constexpr int kPartMasks = kMasks / kParts;
  // What one pass over a run sums.
  static constexpr int kPassParts = NB * NX * NV * kMasks <= M::kSums ? kParts : 1;
  static constexpr int kPassMasks = kPassParts * kPartMasks;
  static constexpr int kPassQuads = quads_that_fit(M::kSums, NB* NX* NV* kPassMasks);

  const uint8_t* weights[NB];
  const uint8_t* scales[NB][kMasks];
  Column columns[NV];
  float32x4_t acc[NB][kMasks][NV][kQuads];
};

template <class T>
struct FieldsSums {
  typename T::Sum of[T::kBands][T::kPassQuads][T::kPassMasks][T::kColumns][T::kDigits];
};

template <class T>
inline void clear(FieldsSums<T>& sums) {
#pragma GCC unroll 4
  for (int b = 0; b < T::kBands; ++b) {
#pragma GCC unroll 4
    for (int q = 0; q < T::kPassQuads; ++q) {
#pragma GCC unroll 8
      for (int m = 0; m < T::kPassMasks; ++m) {
#pragma GCC unroll 4
        for (int n = 0; n < T::kColumns; ++n) {
#pragma GCC unroll 2
          for (int d = 0; d < T::kDigits; ++d) sums.of[b][q][m][n][d].clear();
        }
      }
    }
  }
}

// Bands beyond the last row block repeat the last one.
template <class T>
inline void open_tile(const BitKernelArgs* args, int64_t band, int64_t last_row_block,
                      int64_t first_column, int64_t runs, T& t) {
  for (int b = 0; b < T::kBands; ++b) {
    const int64_t at = min_of(band + b, last_row_block / T::kMasks);
    t.weights[b] = args->planes[0] + at * args->col_blocks * kBandBlockBytes;
    for (int m = 0; m < T::kMasks; ++m) {
      const int64_t row_block = min_of(at * T::kMasks + m, last_row_block);
      t.scales[b][m] = args->scales + row_block * runs * kBlockRows;
    }
  }
  for (int n = 0; n < T::kColumns; ++n) t.columns[n] = column_at(args, runs, first_column + n);
  memset(t.acc, 0, sizeof t.acc);
}

// Half a byte or a whole one, so that it is a small number as a signed byte.
template <class T>
inline uint8x16_t part_of(uint8x16_t bytes, int part) {
  if (T::kPlanes == 8) return veorq_u8(bytes, vdupq_n_u8(0x80));
  if (T::kFieldBits == 8) return bytes;
  return part == 0 ? vshrq_n_u8(bytes, 4) : vandq_u8(bytes, vdupq_n_u8(0x0f));
}

// Columns 4 v .. 4 v + 3 of a block, then the next ones.
template <class T, int kFirstPart, int v = 0>
inline void add_steps(const uint8_t* const* weights, const int8x16_t (*x)[T::kDigits][2],
                      FieldsSums<T>& sums) {
#pragma GCC unroll 4
  for (int b = 0; b < T::kBands; ++b) {
#pragma GCC unroll 4
    for (int q = 0; q < T::kPassQuads; ++q) {
      const uint8x16_t bytes = vld1q_u8(weights[b] + v * kBlockBytes + 16 * q);
#pragma GCC unroll 8
      for (int m = 0; m < T::kPassMasks; ++m) {
        const int k = m % T::kPartMasks;
        uint8x16_t w = part_of<T>(bytes, kFirstPart + m / T::kPartMasks);
        if (k > 0) w = vandq_u8(w, vdupq_n_u8((uint8_t)(0x0f >> (T::kFieldBits * k))));
#pragma GCC unroll 4
        for (int n = 0; n < T::kColumns; ++n) {
#pragma GCC unroll 2
          for (int d = 0; d < T::kDigits; ++d) {
            sums.of[b][q][m][n][d].template multiply<v>(vreinterpretq_s8_u8(w), x[n][d]);
          }
        }
      }
    }
  }
  if constexpr (v < 7) add_steps<T, kFirstPart, v + 1>(weights, x, sums);
}

// Twice the products of the k-th row block of those that share four bits, from the masked sums.
template <class T>
inline int32x4_t twice_products(const int32x4_t* masked, int k) {
  if (k + 1 == T::kPartMasks) return vaddq_s32(masked[k], masked[k]);
  return vsubq_s32(masked[k], masked[k + 1]) >> (3 - T::kFieldBits * (k + 1));
}

// Scales the sums of a pass and adds them to the accumulators.
template <class T, int kFirstPart>
inline void finish_pass(int n_planes, int64_t run, int quad, const FieldsSums<T>& sums, T& t) {
#pragma GCC unroll 4
  for (int b = 0; b < T::kBands; ++b) {
#pragma GCC unroll 4
    for (int q = 0; q < T::kPassQuads; ++q) {
#pragma GCC unroll 4
      for (int n = 0; n < T::kColumns; ++n) {
        int32x4_t masked[T::kPassMasks];
#pragma GCC unroll 8
        for (int m = 0; m < T::kPassMasks; ++m) {
          masked[m] = sums.of[b][q][m][n][0].total();
          if constexpr (T::kDigits == 2) {
            masked[m] = vaddq_s32(masked[m], vshlq_n_s32(sums.of[b][q][m][n][1].total(), 8));
          }
        }
        const int32x4_t rest = correction(n_planes, t.columns[n].run_sums[run]);
#pragma GCC unroll 8
        for (int m = 0; m < T::kPassMasks; ++m) {
          const int k = m % T::kPartMasks, row_block = kFirstPart * T::kPartMasks + m;
          const int32x4_t s = vaddq_s32(twice_products<T>(masked + m - k, k), rest);
          const uint8_t* scales = t.scales[b][row_block] + run * kBlockRows + 4 * (quad + q);
          float32x4_t* acc = &t.acc[b][row_block][n][quad + q];
          *acc = add_run(*acc, s, load_scales(scales));
        }
      }
    }
  }
}

template <class T, int kFirstPart>
inline void run_pass(int n_planes, int64_t run, int64_t begin, int64_t end, int quad, T& t) {
  FieldsSums<T> sums;
  clear(sums);
  for (int64_t block = begin; block < end; ++block) {
    const uint8_t* weights[T::kBands];
    for (int b = 0; b < T::kBands; ++b) {
      weights[b] = t.weights[b] + block * kBandBlockBytes + 16 * quad;
    }
    int8x16_t x[T::kColumns][T::kDigits][2];
    for (int n = 0; n < T::kColumns; ++n) load_digits<T::kDigits>(t.columns[n], block, x[n]);
    add_steps<T, kFirstPart>(weights, x, sums);
  }
  finish_pass<T, kFirstPart>(n_planes, run, quad, sums, t);
}

template <class T>
inline void store_tile(int64_t band, int64_t row_block_begin, int64_t row_block_end, const T& t) {
  for (int b = 0; b < T::kBands; ++b) {
    for (int m = 0; m < T::kMasks; ++m) {
      const int64_t row_block = (band + b) * T::kMasks + m;
      if (row_block < row_block_begin || row_block >= row_block_end) continue;
      for (int n = 0; n < T::kColumns; ++n) {
        memcpy(t.columns[n].acc + row_block * kBlockRows, t.acc[b][m][n], sizeof t.acc[b][m][n]);
      }
    }
  }
}

template <class T>
void run_tile(const BitKernelArgs* args, int64_t band, int64_t row_block_begin,
              int64_t row_block_end, int64_t first_column) {
  const int64_t runs = (args->col_blocks + args->run_blocks - 1) / args->run_blocks;
  T t;
  open_tile(args, band, row_block_end - 1, first_column, runs, t);
  for (int64_t run = 0; run < runs; ++run) {
    const int64_t begin = run * args->run_blocks;
    const int64_t end = min_of(begin + args->run_blocks, args->col_blocks);
    for (int quad = 0; quad < kQuads; quad += T::kPassQuads) {
      run_pass<T, 0>(args->n_planes, run, begin, end, quad, t);
      if constexpr (T::kPassParts < T::kParts) {
        run_pass<T, 1>(args->n_planes, run, begin, end, quad, t);
      }
    }
  }
  store_tile(band, row_block_begin, row_block_end, t);
}

// All columns from `first` on, in tiles of NV of them, then of half as many.
template <class M, int P, int NB, int NX, int NV>
inline void run_columns(const BitKernelArgs* args, int64_t band, int64_t row_block_begin,
                        int64_t row_block_end, int64_t first) {
  const int64_t columns = args->batch * activation_halves(args->activation_bits);
  for (; first + NV <= columns; first += NV) {
    run_tile<FieldsTile<M, P, NB, NX, NV>>(args, band, row_block_begin, row_block_end, first);
  }
  if constexpr (NV > 1) {
    if (first < columns) {
      run_columns<M, P, NB, NX, NV / 2>(args, band, row_block_begin, row_block_end, first);
    }
  }
}

// All bands from `band` on, in tiles of NB of them, then of half as many.
template <class M, int P, int NB, int NX, int NV>
void run_bands(const BitKernelArgs* args, int64_t band, int64_t row_block_begin,
               int64_t row_block_end) {
  constexpr int kMasks = 8 / field_bits(P);
  const int64_t end = (row_block_end + kMasks - 1) / kMasks;
  for (; 2 * (end - band) > NB; band += NB) {
    run_columns<M, P, NB, NX, NV>(args, band, row_block_begin, row_block_end, 0);
  }
  if constexpr (NB > 1) {
    if (band < end) {
      run_bands<M, P, NB / 2, NX, NV>(args, band, row_block_begin, row_block_end);
    }
  }
}

// One column takes so many bands, and a batch so many columns, that the sums fill the registers.
template <class M, int P, int NX>
void run_digits(const BitKernelArgs* args, int64_t row_block_begin, int64_t row_block_end) {
  constexpr int kMasks = 8 / field_bits(P), kPartMasks = kMasks > 1 ? kMasks / 2 : 1;
  constexpr int kBands = at_least_one(M::kSums / (kQuads * kMasks * NX));
  constexpr int kColumns = at_least_one(min_of(M::kBatchDigits, M::kSums / kPartMasks) / NX);
  const int64_t band = row_block_begin / kMasks;
  if (args->batch * activation_halves(args->activation_bits) == 1) {
    run_bands<M, P, kBands, NX, 1>(args, band, row_block_begin, row_block_end);
  } else {
    run_bands<M, P, 1, NX, kColumns>(args, band, row_block_begin, row_block_end);
  }
}

template <class M, int P>
void run_planes(const BitKernelArgs* args, int64_t row_block_begin, int64_t row_block_end) {
  if (args->activation_bits == 8) {
    run_digits<M, P, 1>(args, row_block_begin, row_block_end);
  } else {
    run_digits<M, P, 2>(args, row_block_begin, row_block_end);
  }
}

template <class M>
void run_fields(const BitKernelArgs* args, int64_t row_block_begin, int64_t row_block_end) {
  if (row_block_begin >= row_block_end) return;
  const int field = field_bits(args->n_planes, args->row_blocks);
  if (field == 1) return run_planes<M, 1>(args, row_block_begin, row_block_end);
  if (field == 2) return run_planes<M, 2>(args, row_block_begin, row_block_end);
  if (field == 4) return run_planes<M, 4>(args, row_block_begin, row_block_end);
  if (args->n_planes == 8) return run_planes<M, 8>(args, row_block_begin, row_block_end);
  if (M::kSameForLarge || args->n_planes == 7) {
    return run_planes<M, 7>(args, row_block_begin, row_block_end);
  }
  if (args->n_planes == 6) return run_planes<M, 6>(args, row_block_begin, row_block_end);
  run_planes<M, 5>(args, row_block_begin, row_block_end);
}

}  // namespace
}  // namespace pbatch
