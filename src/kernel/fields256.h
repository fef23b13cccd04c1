// The frame of the kernels with 256-bit registers that read joined planes, kLayoutFields and
// kLayoutDense; how products are summed is the ISA's. It passes a class Method:
//   kPassSums, kVectors  sums that leave registers for operands; vectors of a batch that make so
//   many kWholeHalves         true: one sum for a half of an activation; false: one for each byte
//   digit sum_run<T, m>(t, row_half, begin, end)  for T::kPassRows halves of a row block (8 rows
//   each) and
//     T::kPassMasks row blocks of a band, from the m-th on: sums over the column blocks begin ..
//     end - 1 into t.sums
//   twice_products<T>(sums, m)  2 sum(u q) of the m-th row block of a band, from the sums of all
// and, for multiply_four,
//   weights<T, m>(bytes)        what is to be multiplied of the m-th row block of a band
//   add<fresh>(sum, weights, x) sum + products of the bytes; if fresh, the products
#pragma once

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "kernel/dense.h"
#include "kernel/kernel.h"
#include "kernel/tiles.h"

namespace pbatch {
namespace {

const int64_t kPrefetchBytes = 2048;  // ahead, per band

// The most masks of which `each` sums fit a pass of `sums`.
constexpr int masks_that_fit(int sums, int masks, int each) {
  return masks == 1 || masks * each <= sums ? masks : masks_that_fit(sums, masks / 2, each);
}

// Fixed by a tile's field width F, bands NB, activation digits NX and vectors NV.
template <class M, int F, int NB, int NX, int NV>
struct Tile {
  typedef M Method;
  static constexpr int kFieldBits = F, kBands = NB, kDigits = NX, kVectors = NV;
  static constexpr int kMasks = 8 / F;  // row blocks in a band
  static constexpr int kStored = stored_bits(F);
  static constexpr int64_t kBandBytes = kStored * kBlockBytes;  // of a column block
  static constexpr int kHalves = NX == 4 ? 2 : 1;
  static constexpr int kHalfSums = M::kWholeHalves ? 1 : NX / kHalves;
  static constexpr int kColumns = NV * kHalves * kHalfSums;  // sums of a row
  static constexpr int kPassMasks = masks_that_fit(M::kPassSums, kMasks, NB* kColumns);
  static constexpr int kPassRows =
      kPassMasks == kMasks && 2 * kMasks * NB * kColumns <= M::kPassSums ? 2 : 1;

  __m256i sums[NB][2][kMasks][kColumns];  // of one run
  __m256 acc[NB][2][kMasks][NV][kHalves];
  const uint8_t* weights[NB];
  int64_t ahead;  // from a load to what is fetched with it: kPrefetchBytes or 0
  const uint8_t* activations[NV];
  const int32_t* run_sums[NV];
  const uint8_t* scales[NB][kMasks];
};

// Four columns of a digit: `column` counts vectors and their digits.
template <class T>
inline __m256i load_activations(const T& t, int64_t block, int v, int column) {
  const uint8_t* vector = t.activations[column / T::kDigits];
  int32_t four;
  memcpy(&four, vector + (block * T::kDigits + column % T::kDigits) * kBlockCols + 4 * v,
         sizeof four);
  return _mm256_set1_epi32(four);
}

// Four columns of eight rows, once for each row block of the band; with spare bits, or of others.
template <class T>
inline __m256i load_stored(const T& t, int64_t block, int v, int band, int row_half) {
  const uint8_t* from = t.weights[band] + block * T::kBandBytes + v * kBlockBytes;
  if (row_half == 0) _mm_prefetch((const char*)from + t.ahead, _MM_HINT_T0);
  return _mm256_loadu_si256((const __m256i*)(from + row_half * kBlockBytes / 2));
}

// Byte vector v, which is not stored, from its i-th piece on. No loop over pieces: of one, GCC 12
// made wrong bytes at -O1 with 5 and 6 planes.
template <class T, int v, int i = 0>
inline __m256i put_together(const uint8_t* block) {
  constexpr DensePieces kPieces = dense_pieces(T::kStored, v);
  constexpr DensePiece kPiece = kPieces.at[i];
  const uint8_t* from = block + kPiece.vector * kBlockBytes;
  const __m256i shifted = _mm256_srli_epi16(_mm256_loadu_si256((const __m256i*)from), kPiece.shift);
  const __m256i bytes = _mm256_and_si256(shifted, _mm256_set1_epi8((char)kPiece.mask));
  if constexpr (i + 1 < kPieces.count) {
    return _mm256_or_si256(bytes, put_together<T, v, i + 1>(block));
  }
  return bytes;
}

// That with the number v, of those from `first` on.
template <class T, int first = T::kStored>
inline __m256i put_together_any(const uint8_t* block, int v) {
  if constexpr (first < 7) {
    if (v > first) return put_together_any<T, first + 1>(block, v);
  }
  return put_together<T, first>(block);
}

template <class T>
inline __m256i load_weights(const T& t, int64_t block, int v, int band, int row_half) {
  if constexpr (T::kStored < 8) {
    const uint8_t* of_block = t.weights[band] + block * T::kBandBytes;
    if (v >= T::kStored) {
      return put_together_any<T>(of_block + row_half * kBlockBytes / 2, v);
    }
  }
  const __m256i bytes = load_stored(t, block, v, band, row_half);
  if constexpr (T::kStored == 8 || T::kMasks > 1) return bytes;
  return _mm256_and_si256(bytes, _mm256_set1_epi8((char)((1 << T::kStored) - 1)));
}

// The sums of a pass, while it lasts.
template <class T>
struct PassSums {
  __m256i at[T::kBands][T::kPassRows][T::kPassMasks][T::kColumns];
};

template <class T>
inline void clear_sums(PassSums<T>& sums) {
  for (int b = 0; b < T::kBands; ++b) {
    for (int r = 0; r < T::kPassRows; ++r) {
      for (int m = 0; m < T::kPassMasks; ++m) {
        for (int c = 0; c < T::kColumns; ++c) sums.at[b][r][m][c] = _mm256_setzero_si256();
      }
    }
  }
}

template <class T, int kFirst>
inline void store_sums(const PassSums<T>& sums, int row_half, T& t) {
  for (int b = 0; b < T::kBands; ++b) {
    for (int r = 0; r < T::kPassRows; ++r) {
      for (int m = 0; m < T::kPassMasks; ++m) {
        for (int c = 0; c < T::kColumns; ++c) {
          t.sums[b][row_half + r][kFirst + m][c] = sums.at[b][r][m][c];
        }
      }
    }
  }
}

// The weights of a pass in four columns.
template <class T>
struct PassWeights {
  __m256i at[T::kBands][T::kPassRows][T::kPassMasks];
};

template <class T, int kFirst, int m = 0>
inline void select_weights(__m256i bytes, __m256i selected[T::kPassMasks]) {
  selected[m] = T::Method::template weights<T, kFirst + m>(bytes);
  if constexpr (m + 1 < T::kPassMasks) select_weights<T, kFirst, m + 1>(bytes, selected);
}

// Multiplies four columns. The operand used most often is loaded first, the other one only when it
// is needed, since registers are few.
template <class T, int kFirst, bool kFresh>
inline void multiply_four(const T& t, int row_half, int64_t block, int v, PassSums<T>& sums) {
  constexpr bool kWeightsFirst = T::kColumns > 2;
  PassWeights<T> w;
  __m256i x[T::kColumns];
  if constexpr (!kWeightsFirst) {
    for (int c = 0; c < T::kColumns; ++c) x[c] = load_activations(t, block, v, c);
  }
  for (int b = 0; b < T::kBands; ++b) {
    for (int r = 0; r < T::kPassRows; ++r) {
      select_weights<T, kFirst>(load_weights(t, block, v, b, row_half + r), w.at[b][r]);
      if constexpr (!kWeightsFirst) {
        for (int m = 0; m < T::kPassMasks; ++m) {
          for (int c = 0; c < T::kColumns; ++c) {
            __m256i& sum = sums.at[b][r][m][c];
            sum = T::Method::template add<kFresh>(sum, w.at[b][r][m], x[c]);
          }
        }
      }
    }
  }
  if constexpr (kWeightsFirst) {
    for (int c = 0; c < T::kColumns; ++c) {
      const __m256i four = load_activations(t, block, v, c);
      for (int b = 0; b < T::kBands; ++b) {
        for (int r = 0; r < T::kPassRows; ++r) {
          for (int m = 0; m < T::kPassMasks; ++m) {
            __m256i& sum = sums.at[b][r][m][c];
            sum = T::Method::template add<kFresh>(sum, w.at[b][r][m], four);
          }
        }
      }
    }
  }
}

// Bands beyond the last row block and vectors beyond the batch repeat the last one.
template <class T>
inline void open_tile(const BitKernelArgs* args, int64_t band, int64_t last_row_block,
                      int64_t first_vector, int64_t runs, T& t) {
  t.ahead = args->prefetch != 0 ? kPrefetchBytes : 0;
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
  }
  memset(t.acc, 0, sizeof t.acc);
}

template <class T, int kFirst = 0>
inline void sum_masks(T& t, int row_half, int64_t begin, int64_t end) {
  T::Method::template sum_run<T, kFirst>(t, row_half, begin, end);
  if constexpr (kFirst + T::kPassMasks < T::kMasks) {
    sum_masks<T, kFirst + T::kPassMasks>(t, row_half, begin, end);
  }
}

// The sum of one half of a vector, from the sums of its row.
template <class T>
inline __m256i half_sum(const __m256i row[T::kColumns], int half) {
  const __m256i* sums = row + half * T::kHalfSums;
  if constexpr (T::kHalfSums == 1) return sums[0];
  return _mm256_add_epi32(sums[0], _mm256_slli_epi32(sums[1], 8));
}

// Scales the sums of a run and adds them to the accumulators.
template <class T>
inline void finish_run(int32_t top, int64_t runs, int64_t run, T& t) {
  for (int b = 0; b < T::kBands; ++b) {
    for (int r = 0; r < 2; ++r) {
      __m256 scale[T::kMasks];
      for (int m = 0; m < T::kMasks; ++m) {
        const uint8_t* eight = t.scales[b][m] + run * kBlockRows + 8 * r;
        scale[m] = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i*)eight)));
      }
      for (int n = 0; n < T::kVectors; ++n) {
        for (int h = 0; h < T::kHalves; ++h) {
          __m256i of_half[T::kMasks];
          for (int m = 0; m < T::kMasks; ++m) {
            of_half[m] = half_sum<T>(t.sums[b][r][m], n * T::kHalves + h);
          }
          const __m256i correction = _mm256_set1_epi32(top * t.run_sums[n][h * runs + run]);
          for (int m = 0; m < T::kMasks; ++m) {
            const __m256i s =
                _mm256_sub_epi32(T::Method::template twice_products<T>(of_half, m), correction);
            __m256& acc = t.acc[b][r][m][n][h];
            acc = _mm256_add_ps(acc, _mm256_mul_ps(_mm256_cvtepi32_ps(s), scale[m]));
          }
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
          _mm256_storeu_ps(out + row_block * kBlockRows, t.acc[b][0][m][n][h]);
          _mm256_storeu_ps(out + row_block * kBlockRows + 8, t.acc[b][1][m][n][h]);
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
    const int64_t begin = run * args->run_blocks;
    const int64_t end = min_of(begin + args->run_blocks, args->col_blocks);
    for (int r = 0; r < 2; r += T::kPassRows) sum_masks(t, r, begin, end);
    finish_run(top, runs, run, t);
  }
  store_tile(args, band, row_block_begin, row_block_end, first_vector, t);
}

// All vectors from `first` on. A tile that would be filled by less than three quarters gives way
// to smaller ones.
template <class M, int F, int NB, int NX, int NV>
inline void run_vectors(const BitKernelArgs* args, int64_t band, int64_t row_block_begin,
                        int64_t row_block_end, int64_t first) {
  for (; 4 * (args->batch - first) >= 3 * NV; first += NV) {
    run_tile<Tile<M, F, NB, NX, NV>>(args, band, row_block_begin, row_block_end, first);
  }
  if constexpr (NV > 1) {
    if (first < args->batch) {
      run_vectors<M, F, NB, NX, (NV == 6 ? 4 : (NV + 1) / 2)>(args, band, row_block_begin,
                                                              row_block_end, first);
    }
  }
}

// All bands from `band` on, in tiles of NB of them, then of half as many.
template <class M, int F, int NB, int NX, int NV>
void run_bands(const BitKernelArgs* args, int64_t band, int64_t row_block_begin,
               int64_t row_block_end) {
  const int64_t end = (row_block_end + 8 / F - 1) / (8 / F);
  for (; 2 * (end - band) > NB; band += NB) {
    run_vectors<M, F, NB, NX, NV>(args, band, row_block_begin, row_block_end, 0);
  }
  if constexpr (NB > 1) {
    if (band < end) {
      run_bands<M, F, NB / 2, NX, NV>(args, band, row_block_begin, row_block_end);
    }
  }
}

template <class M, int F>
void run_field_width(const BitKernelArgs* args, int64_t begin, int64_t end) {
  const int64_t band = begin / (8 / F);
  if (args->activation_bits == 8) {
    if (args->batch > 1) return run_bands<M, F, 1, 1, M::kVectors>(args, band, begin, end);
    return run_bands<M, F, M::bands(F, 1), 1, 1>(args, band, begin, end);
  }
  if (args->activation_bits == 16) {
    if (args->batch > 1) return run_bands<M, F, 1, 2, M::kVectors / 2>(args, band, begin, end);
    return run_bands<M, F, M::bands(F, 2), 2, 1>(args, band, begin, end);
  }
  run_bands<M, F, M::bands(F, 4), 4, 1>(args, band, begin, end);
}

}  // namespace
}  // namespace pbatch
