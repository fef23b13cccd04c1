// The frame of the kernels with 512-bit registers that read joined planes: kLayoutFields and
// kLayoutDense.
//
// A register holds four columns of 16 rows, once for each row block of a band. The row blocks that
// share its bytes are told apart by nested masks: the sum with the bits below some place is
// subtracted, once a run, from the sum with the bits below the next.
#pragma once

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "kernel/dense.h"
#include "kernel/kernel.h"

namespace pbatch {
namespace {

// Ahead of the loads, of a band and of all bands of a tile together.
const int kBandPrefetchBytes = 4096, kTilePrefetchBytes = 8192;

inline int64_t min_of(int64_t a, int64_t b) { return a < b ? a : b; }

// Fixed by a tile's field width F, bands NB, activation digits NX and vectors NV.
template <int F, int NB, int NX, int NV>
struct Tile {
  static constexpr int kFieldBits = F, kBands = NB, kDigits = NX, kVectors = NV;
  static constexpr int kMasks = 8 / F;  // row blocks in a band
  static constexpr int kStored = stored_bits(F);
  static constexpr int64_t kBandBytes = kStored * kBlockBytes;  // of a column block
  static constexpr int kHalves = NX == 4 ? 2 : 1;
  static constexpr int kHalfDigits = NX / kHalves;
  static constexpr int kPrefetchBytes =
      kTilePrefetchBytes / NB < kBandPrefetchBytes ? kTilePrefetchBytes / NB : kBandPrefetchBytes;

  __m512i sums[NV][NB][NX][kMasks];  // of one run
  __m512 acc[NV][kHalves][NB][kMasks];
  const uint8_t* weights[NB];
  int64_t ahead;  // from a load to what is fetched with it: kPrefetchBytes or 0
  const uint8_t* activations[NV];
  const int32_t* run_sums[NV];
  const uint8_t* scales[NB][kMasks];
};

// Bands beyond `row_block_end` and vectors beyond the batch repeat the last one.
template <class T>
inline void open_tile(const BitKernelArgs* args, int64_t band, int64_t last_row_block,
                      int64_t first_vector, int64_t runs, T& t) {
  t.ahead = args->prefetch != 0 ? T::kPrefetchBytes : 0;
  for (int b = 0; b < T::kBands; ++b) {
    const int64_t at = min_of(band + b, last_row_block / T::kMasks);
    t.weights[b] = args->planes[0] + at * args->col_blocks * T::kBandBytes;
    for (int m = 0; m < T::kMasks; ++m) {
      const int64_t row_block = min_of(at * T::kMasks + m, last_row_block);
      t.scales[b][m] = args->scales + row_block * runs * kBlockRows;
    }
  }
  for (int n = 0; n < T::kVectors; ++n) {
    const int64_t vector = min_of(first_vector + n, args->batch - 1);
    t.activations[n] = args->activations + vector * args->activation_stride;
    t.run_sums[n] = args->run_sums + vector * T::kHalves * runs;
    for (int h = 0; h < T::kHalves; ++h) {
      for (int b = 0; b < T::kBands; ++b) {
        for (int m = 0; m < T::kMasks; ++m) t.acc[n][h][b][m] = _mm512_setzero_ps();
      }
    }
  }
}

template <class T>
inline void clear_sums(T& t) {
  for (int n = 0; n < T::kVectors; ++n) {
    for (int b = 0; b < T::kBands; ++b) {
      for (int d = 0; d < T::kDigits; ++d) {
        for (int m = 0; m < T::kMasks; ++m) t.sums[n][b][d][m] = _mm512_setzero_si512();
      }
    }
  }
}

inline __m512i broadcast_four(const uint8_t* from) {
  int32_t four;
  memcpy(&four, from, sizeof four);
  return _mm512_set1_epi32(four);
}

// 64 stored bytes of a band, and its share of what is fetched ahead.
template <class T>
inline __m512i load_stored(const T& t, int band, int64_t block, int v) {
  const uint8_t* from = t.weights[band] + block * T::kBandBytes + v * kBlockBytes;
  _mm_prefetch((const char*)from + t.ahead, _MM_HINT_T0);
  return _mm512_loadu_si512(from);
}

// A byte vector that is not stored: its pieces from the i-th on, and `before`.
template <class T, int v, int i = 0>
inline __m512i put_together(const T& t, int band, int64_t block, __m512i before) {
  constexpr DensePieces kPieces = dense_pieces(T::kStored, v);
  constexpr DensePiece kPiece = kPieces.at[i];
  const uint8_t* from = t.weights[band] + block * T::kBandBytes + kPiece.vector * kBlockBytes;
  const __m512i shifted = _mm512_srli_epi16(_mm512_loadu_si512(from), kPiece.shift);
  const __m512i mask = _mm512_set1_epi8((char)kPiece.mask);
  const __m512i bytes = i == 0 ? _mm512_and_si512(shifted, mask)
                               : _mm512_ternarylogic_epi64(before, shifted, mask, 0xf8);
  if constexpr (i + 1 < kPieces.count) return put_together<T, v, i + 1>(t, band, block, bytes);
  return bytes;
}

// The products of the four columns of byte vector v and of those behind it.
template <class T, int v>
inline void add_vectors(int64_t block, T& t) {
  constexpr bool kIsStored = v < T::kStored, kHasSpareBits = kIsStored && T::kStored < 8;
  __m512i x[T::kVectors][T::kDigits];
  for (int n = 0; n < T::kVectors; ++n) {
    for (int d = 0; d < T::kDigits; ++d) {
      x[n][d] = broadcast_four(t.activations[n] + (block * T::kDigits + d) * kBlockCols + 4 * v);
    }
  }
  for (int b = 0; b < T::kBands; ++b) {
    __m512i bytes;
    if constexpr (kIsStored) {
      bytes = load_stored(t, b, block, v);
    } else {
      bytes = put_together<T, v>(t, b, block, _mm512_setzero_si512());
    }
    for (int m = 0; m < T::kMasks; ++m) {
      const int mask = (1 << (T::kFieldBits * (T::kMasks - m))) - 1;
      const __m512i masked =
          m == 0 && !kHasSpareBits ? bytes : _mm512_and_si512(bytes, _mm512_set1_epi8((char)mask));
      for (int n = 0; n < T::kVectors; ++n) {
        for (int d = 0; d < T::kDigits; ++d) {
          t.sums[n][b][d][m] = _mm512_dpbusd_epi32(t.sums[n][b][d][m], masked, x[n][d]);
        }
      }
    }
  }
  if constexpr (v < 7) add_vectors<T, v + 1>(block, t);
}

template <class T>
inline void add_block(int64_t block, T& t) {
  add_vectors<T, 0>(block, t);
}

// Sums of a half, from those of its digits.
template <class T>
inline __m512i half_sum(const __m512i digits[][T::kMasks], int h, int m) {
  if constexpr (T::kHalfDigits == 1) return digits[h][m];
  return _mm512_add_epi32(digits[2 * h][m], _mm512_slli_epi32(digits[2 * h + 1][m], 8));
}

// 2 sum(u q) of the m-th row block of a band, from the masked sums.
template <class T>
inline __m512i twice_products(const __m512i masked[T::kMasks], int m) {
  if (m + 1 == T::kMasks) return _mm512_add_epi32(masked[m], masked[m]);
  const int place = T::kFieldBits * (T::kMasks - 1 - m);
  return _mm512_srai_epi32(_mm512_sub_epi32(masked[m], masked[m + 1]), place - 1);
}

// Scales the sums of a run and adds them to the accumulators. The scales of the next tile's rows
// are on their way by then: the stretches of a row block are too short for the hardware to see.
template <class T>
inline void finish_run(int32_t top, int64_t runs, int64_t run, T& t) {
  for (int b = 0; b < T::kBands; ++b) {
    __m512 scale[T::kMasks];
    for (int m = 0; m < T::kMasks; ++m) {
      const uint8_t* scales = t.scales[b][m] + run * kBlockRows;
      const __m128i bytes = _mm_loadu_si128((const __m128i*)scales);
      _mm_prefetch((const char*)scales + T::kBands * T::kMasks * runs * kBlockRows, _MM_HINT_T0);
      scale[m] = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes));
    }
    for (int n = 0; n < T::kVectors; ++n) {
      for (int h = 0; h < T::kHalves; ++h) {
        __m512i masked[T::kMasks];
        for (int m = 0; m < T::kMasks; ++m) masked[m] = half_sum<T>(t.sums[n][b], h, m);
        const __m512i correction = _mm512_set1_epi32(top * t.run_sums[n][h * runs + run]);
        for (int m = 0; m < T::kMasks; ++m) {
          const __m512i s = _mm512_sub_epi32(twice_products<T>(masked, m), correction);
          const __m512 product = _mm512_mul_ps(_mm512_cvtepi32_ps(s), scale[m]);
          t.acc[n][h][b][m] = _mm512_add_ps(t.acc[n][h][b][m], product);
        }
      }
    }
  }
}

template <class T>
inline void store_tile(const BitKernelArgs* args, int64_t band, int64_t row_block_begin,
                       int64_t row_block_end, int64_t first_vector, const T& t) {
  for (int n = 0; n < T::kVectors && first_vector + n < args->batch; ++n) {
    for (int h = 0; h < T::kHalves; ++h) {
      float* out = args->acc + ((first_vector + n) * T::kHalves + h) * args->acc_stride;
      for (int b = 0; b < T::kBands; ++b) {
        for (int m = 0; m < T::kMasks; ++m) {
          const int64_t row_block = (band + b) * T::kMasks + m;
          if (row_block < row_block_begin || row_block >= row_block_end) continue;
          _mm512_storeu_ps(out + row_block * kBlockRows, t.acc[n][h][b][m]);
        }
      }
    }
  }
}

template <class T>
void run_tile(const BitKernelArgs* args, int64_t band, int64_t row_block_begin,
              int64_t row_block_end, int64_t first_vector) {
  const int64_t runs = (args->col_blocks + args->run_blocks - 1) / args->run_blocks;
  const int32_t top = (1 << args->n_planes) - 1;
  T t;
  open_tile(args, band, row_block_end - 1, first_vector, runs, t);
  for (int64_t run = 0; run < runs; ++run) {
    clear_sums(t);
    const int64_t begin = run * args->run_blocks;
    const int64_t end = min_of(begin + args->run_blocks, args->col_blocks);
    for (int64_t block = begin; block < end; ++block) add_block(block, t);
    finish_run(top, runs, run, t);
  }
  store_tile(args, band, row_block_begin, row_block_end, first_vector, t);
}

// All vectors from `first` on. A tile that would be filled by less than three quarters gives way
// to smaller ones.
template <int F, int NB, int NX, int NV>
inline void run_vectors(const BitKernelArgs* args, int64_t band, int64_t row_block_begin,
                        int64_t row_block_end, int64_t first) {
  for (; 4 * (args->batch - first) >= 3 * NV; first += NV) {
    run_tile<Tile<F, NB, NX, NV>>(args, band, row_block_begin, row_block_end, first);
  }
  if constexpr (NV > 1) {
    if (first < args->batch) {
      run_vectors<F, NB, NX, NV / 2>(args, band, row_block_begin, row_block_end, first);
    }
  }
}

// All bands from `band` on, in tiles of NB of them, then of half as many.
template <int F, int NB, int NX, int NV>
void run_bands(const BitKernelArgs* args, int64_t band, int64_t row_block_begin,
               int64_t row_block_end) {
  const int64_t end = (row_block_end + 8 / F - 1) / (8 / F);
  for (; 2 * (end - band) > NB; band += NB) {
    run_vectors<F, NB, NX, NV>(args, band, row_block_begin, row_block_end, 0);
  }
  if constexpr (NB > 1) {
    if (band < end) run_bands<F, NB / 2, NX, NV>(args, band, row_block_begin, row_block_end);
  }
}

constexpr int at_least_one(int n) { return n < 1 ? 1 : n; }

// RB row blocks and NV vectors to a tile, so that the sums fill the registers.
template <int F, int NX, int RB, int NV>
void run_row_blocks(const BitKernelArgs* args, int64_t begin, int64_t end) {
  run_bands<F, at_least_one(RB / (8 / F)), NX, NV>(args, begin / (8 / F), begin, end);
}

template <int F>
void run_field_width(const BitKernelArgs* args, int64_t begin, int64_t end) {
  // Measured: more than four bands that need a mask for every register are slower.
  constexpr int kRowBlocks = stored_bits(F) == 8 ? 8 : 4;
  if (args->activation_bits == 8) {
    return args->batch == 1 ? run_row_blocks<F, 1, kRowBlocks, 1>(args, begin, end)
                            : run_row_blocks<F, 1, 4, 4>(args, begin, end);
  }
  if (args->activation_bits == 16) {
    return args->batch == 1 ? run_row_blocks<F, 2, kRowBlocks, 1>(args, begin, end)
                            : run_row_blocks<F, 2, 4, 2>(args, begin, end);
  }
  run_row_blocks<F, 4, 4, 1>(args, begin, end);
}

}  // namespace
}  // namespace pbatch
