// Planes to bytes on AVX2 with VNNI and GFNI: bit-planes are turned into bytes in registers, and
// VPDPBUSD multiplies them.
//
// A step takes 32 bytes (8 rows x 32 columns) of each of P = 4 or 8 planes, absent ones as zeros.
// Interleaving their bytes and transposing 8x8 bits gives P vectors of bytes, whose 32-bit lanes
// hold four columns of a row:
//   P = 8: lane i of vector v has columns 4v .. 4v + 3 of row i.
//   P = 4: the 128-bit lane L of vector v has rows 4L and 4L + 1 of columns 8v .. 8v + 3, then of
//          columns 8v + 4 .. 8v + 7, in the high nibbles; rows 4L + 2 and 4L + 3 in the low ones.
// The low nibbles are masked out; their sum, taken from the sum of whole bytes, leaves 16 times
// that of the high ones.
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "kernel/kernel.h"

namespace pbatch {
namespace {

const int64_t kPrefetchBytes = 1024;  // ahead, per plane

inline int64_t min_of(int64_t a, int64_t b) { return a < b ? a : b; }

// Fixed by a tile's planes p, digits NX and vectors NV.
template <int p, int NX, int NV>
struct Tile {
  static constexpr int kPlanes = p <= 4 ? 4 : 8, kDigits = NX, kVectors = NV;
  static constexpr int kAbsent = kPlanes - p;
  static constexpr int kMasks = 8 / kPlanes;  // weights in a byte
  static constexpr int kHalves = NX == 4 ? 2 : 1;
  static constexpr int kHalfDigits = NX / kHalves;
  static constexpr int kColumns = NV * NX;  // sums of a row
  // Sums that few instructions wait for are kept several times, else the additions' latency shows.
  static constexpr int kChains = kColumns >= 4 ? 1 : 4 / kColumns;

  __m256i sums[2][kColumns][kMasks];  // of one run
  __m256 acc[2][NV][kHalves];
  const uint8_t* activations[NV];
  const int32_t* run_sums[NV];
  const uint8_t* planes[p];
  const uint8_t* scales;
};

// A tile that reaches beyond the batch computes the last vector again.
template <class T>
inline void open_tile(const BitKernelArgs* args, int64_t row_block, int64_t first_vector,
                      int64_t runs, T& t) {
  for (int i = 0; i < T::kPlanes - T::kAbsent; ++i) {
    t.planes[i] = args->planes[i] + row_block * args->col_blocks * kBlockBytes;
  }
  t.scales = args->scales + row_block * runs * kBlockRows;
  for (int n = 0; n < T::kVectors; ++n) {
    const int64_t vector = min_of(first_vector + n, args->batch - 1);
    t.activations[n] = args->activations + vector * args->activation_stride;
    t.run_sums[n] = args->run_sums + vector * T::kHalves * runs;
  }
  memset(t.acc, 0, sizeof t.acc);
}

inline __m256i transpose_bits(__m256i planes) {
  const __m256i identity = _mm256_set1_epi64x((long long)0x8040201008040201ULL);
  return _mm256_gf2p8affine_epi64_epi8(identity, planes, 0);
}

inline void interleave(const __m256i in[4], __m256i out[4]) {
  const __m256i lo01 = _mm256_unpacklo_epi8(in[0], in[1]);
  const __m256i hi01 = _mm256_unpackhi_epi8(in[0], in[1]);
  const __m256i lo23 = _mm256_unpacklo_epi8(in[2], in[3]);
  const __m256i hi23 = _mm256_unpackhi_epi8(in[2], in[3]);
  out[0] = _mm256_unpacklo_epi16(lo01, lo23);
  out[1] = _mm256_unpackhi_epi16(lo01, lo23);
  out[2] = _mm256_unpacklo_epi16(hi01, hi23);
  out[3] = _mm256_unpackhi_epi16(hi01, hi23);
}

template <class T, int kRowHalf>
inline void load_bytes(const T& t, int64_t block, __m256i bytes[T::kPlanes]) {
  __m256i in[T::kPlanes];
  for (int i = 0; i < T::kAbsent; ++i) in[i] = _mm256_setzero_si256();
  for (int i = T::kAbsent; i < T::kPlanes; ++i) {
    const uint8_t* from =
        t.planes[i - T::kAbsent] + block * kBlockBytes + kRowHalf * kBlockBytes / 2;
    if (kRowHalf == 0) _mm_prefetch((const char*)from + kPrefetchBytes, _MM_HINT_T0);
    in[i] = _mm256_loadu_si256((const __m256i*)from);
  }
  if constexpr (T::kPlanes == 4) {
    interleave(in, bytes);
  } else {
    __m256i upper[4], lower[4];
    interleave(in, upper);
    interleave(in + 4, lower);
    for (int v = 0; v < 4; ++v) {
      bytes[2 * v] = _mm256_unpacklo_epi32(upper[v], lower[v]);
      bytes[2 * v + 1] = _mm256_unpackhi_epi32(upper[v], lower[v]);
    }
  }
  for (int v = 0; v < T::kPlanes; ++v) bytes[v] = transpose_bits(bytes[v]);
}

// The activations that meet byte vector v; `column` counts vectors and their digits.
template <class T>
inline __m256i load_activations(const T& t, int64_t block, int v, int column) {
  const uint8_t* digit = t.activations[column / T::kDigits] +
                         (block * T::kDigits + column % T::kDigits) * 2 * kBlockCols;
  if constexpr (T::kPlanes == 8) {
    int32_t four;
    memcpy(&four, digit + 8 * v, sizeof four);
    return _mm256_set1_epi32(four);
  } else {
    return _mm256_broadcastsi128_si256(_mm_load_si128((const __m128i*)(digit + 16 * v)));
  }
}

// The sums of eight rows over the column blocks begin .. end - 1.
template <class T, int kRowHalf>
inline void sum_run(T& t, int64_t begin, int64_t end) {
  __m256i sums[T::kChains][T::kColumns][T::kMasks];
  for (int k = 0; k < T::kChains; ++k) {
    for (int c = 0; c < T::kColumns; ++c) {
      for (int m = 0; m < T::kMasks; ++m) sums[k][c][m] = _mm256_setzero_si256();
    }
  }
  const __m256i low_nibbles = _mm256_set1_epi8(0x0f);
  for (int64_t block = begin; block < end; ++block) {
    __m256i bytes[T::kPlanes];
    load_bytes<T, kRowHalf>(t, block, bytes);
    for (int v = 0; v < T::kPlanes; ++v) {
      const __m256i low = _mm256_and_si256(bytes[v], low_nibbles);
      for (int c = 0; c < T::kColumns; ++c) {
        const __m256i x = load_activations(t, block, v, c);
        __m256i* sum = sums[v % T::kChains][c];
        sum[0] = _mm256_dpbusd_avx_epi32(sum[0], bytes[v], x);
        if constexpr (T::kMasks == 2) sum[1] = _mm256_dpbusd_avx_epi32(sum[1], low, x);
      }
    }
  }
  for (int c = 0; c < T::kColumns; ++c) {
    for (int m = 0; m < T::kMasks; ++m) {
      for (int k = 1; k < T::kChains; ++k) {
        sums[0][c][m] = _mm256_add_epi32(sums[0][c][m], sums[k][c][m]);
      }
      t.sums[kRowHalf][c][m] = sums[0][c][m];
    }
  }
}

// 2 sum(u q) of eight rows, from the masked sums of one half.
template <class T>
inline __m256i twice_products(const __m256i sums[T::kMasks]) {
  if constexpr (T::kMasks == 1) return _mm256_add_epi32(sums[0], sums[0]);
  const __m256i high = _mm256_srai_epi32(_mm256_sub_epi32(sums[0], sums[1]), 3);
  const __m256i low = _mm256_add_epi32(sums[1], sums[1]);
  return _mm256_add_epi32(_mm256_unpacklo_epi64(high, low), _mm256_unpackhi_epi64(high, low));
}

// Scales the sums of a run and adds them to the accumulators.
template <class T>
inline void finish_run(int32_t top, int64_t runs, int64_t run, T& t) {
  for (int r = 0; r < 2; ++r) {
    const uint8_t* eight = t.scales + run * kBlockRows + 8 * r;
    const __m256 scale =
        _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i*)eight)));
    for (int n = 0; n < T::kVectors; ++n) {
      for (int h = 0; h < T::kHalves; ++h) {
        __m256i half[T::kMasks];
        for (int m = 0; m < T::kMasks; ++m) {
          const int c = n * T::kDigits + h * T::kHalfDigits;
          half[m] = t.sums[r][c][m];
          if constexpr (T::kHalfDigits == 2) {
            half[m] = _mm256_add_epi32(half[m], _mm256_slli_epi32(t.sums[r][c + 1][m], 8));
          }
        }
        const __m256i correction = _mm256_set1_epi32(top * t.run_sums[n][h * runs + run]);
        const __m256i s = _mm256_sub_epi32(twice_products<T>(half), correction);
        const __m256 product = _mm256_mul_ps(_mm256_cvtepi32_ps(s), scale);
        t.acc[r][n][h] = _mm256_add_ps(t.acc[r][n][h], product);
      }
    }
  }
}

template <class T>
void run_tile(const BitKernelArgs* args, int64_t row_block, int64_t first_vector) {
  const int64_t runs = (args->col_blocks + args->run_blocks - 1) / args->run_blocks;
  const int32_t top = (1 << args->n_planes) - 1;
  T t;
  open_tile(args, row_block, first_vector, runs, t);
  for (int64_t run = 0; run < runs; ++run) {
    const int64_t begin = run * args->run_blocks;
    const int64_t end = min_of(begin + args->run_blocks, args->col_blocks);
    sum_run<T, 0>(t, begin, end);
    sum_run<T, 1>(t, begin, end);
    finish_run(top, runs, run, t);
  }
  for (int n = 0; n < T::kVectors && first_vector + n < args->batch; ++n) {
    for (int h = 0; h < T::kHalves; ++h) {
      float* out = args->acc + ((first_vector + n) * T::kHalves + h) * args->acc_stride +
                   row_block * kBlockRows;
      _mm256_storeu_ps(out, t.acc[0][n][h]);
      _mm256_storeu_ps(out + 8, t.acc[1][n][h]);
    }
  }
}

// All vectors from `first` on. A tile that would be filled by less than three quarters gives way
// to smaller ones.
template <int p, int NX, int NV>
inline void run_vectors(const BitKernelArgs* args, int64_t row_block, int64_t first) {
  for (; 4 * (args->batch - first) >= 3 * NV; first += NV) {
    run_tile<Tile<p, NX, NV>>(args, row_block, first);
  }
  if constexpr (NV > 1) {
    if (first < args->batch) run_vectors<p, NX, NV / 2>(args, row_block, first);
  }
}

// Four digits fill the registers with sums.
template <int p>
void run_planes(const BitKernelArgs* args, int64_t begin, int64_t end) {
  for (int64_t row_block = begin; row_block < end; ++row_block) {
    if (args->activation_bits == 8) {
      run_vectors<p, 1, 4>(args, row_block, 0);
    } else if (args->activation_bits == 16) {
      run_vectors<p, 2, 2>(args, row_block, 0);
    } else {
      run_vectors<p, 4, 1>(args, row_block, 0);
    }
  }
}

}  // namespace

void bytes_avxvnni_run(const BitKernelArgs* args, int64_t row_block_begin, int64_t row_block_end) {
  static const BitKernelFn kRun[8] = {run_planes<1>, run_planes<2>, run_planes<3>, run_planes<4>,
                                      run_planes<5>, run_planes<6>, run_planes<7>, run_planes<8>};
  kRun[args->n_planes - 1](args, row_block_begin, row_block_end);
}

}  // namespace pbatch
