// Planes to bytes: bit-planes are turned into bytes in registers, and VPDPBUSD multiplies them.
//
// A step takes one 64-byte block (16 rows x 32 columns) of each of N = 4 or 8 streams. A stream is
// one plane of one row block; a tile takes P = 1, 2, 4 or 8 planes (absent ones are zeros) of N / P
// row blocks. Interleaving the streams' bytes and transposing 8x8 bits gives N vectors of bytes,
// whose 32-bit lanes hold four columns of a row:
//   N = 8: lane i of vector v has columns 4v .. 4v + 3 of row i; the streams' bits stand in order,
//          the first on top.
//   N = 4: the 128-bit lane L of vector v has rows 4L and 4L + 1 of columns 8v .. 8v + 3, then of
//          columns 8v + 4 .. 8v + 7, in the high nibbles; rows 4L + 2 and 4L + 3 in the low ones.
//          In a nibble the streams' bits stand in order, the first on top.
// Weights that share a byte are told apart by nested masks: the product with the bits below some
// place is subtracted from the one with the bits below the next.
//
// A digit of a block of activations is its 32 bytes, every four of them twice: patterns of 16 bytes
// that meet the 128-bit lanes of N = 4.
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "kernel/kernel.h"

namespace pbatch {
namespace {

const int kPrefetchBlocks = 16;  // ahead, per stream

inline int64_t min_of(int64_t a, int64_t b) { return a < b ? a : b; }

// Fixed by a tile's planes P, streams N, digits NX and vectors NV.
template <int P, int N, int NX, int NV>
struct Tile {
  static constexpr int kPlanes = P, kStreams = N, kDigits = NX, kVectors = NV;
  static constexpr int kRowBlocks = N / P;
  static constexpr int kMasks = 8 / P;  // weights in a byte
  static constexpr int kHalves = NX == 4 ? 2 : 1;
  static constexpr int kHalfDigits = NX / kHalves;
  // Sums that few instructions wait for are kept twice, else the additions' latency shows.
  static constexpr int kChains = kMasks == 1 && NX * NV <= 4 ? 2 : 1;

  __m512i sums[kChains][NV][NX][kMasks];  // of one run
  __m512 acc[NV][kHalves][kRowBlocks];
  const uint8_t* activations[NV];
  const int32_t* run_sums[NV];
};

// Where the streams begin; an absent plane has no bits in its mask and reads as zeros.
template <int N>
struct Streams {
  const uint8_t* base[N];
  __mmask8 mask[N];
};

template <class T>
inline Streams<T::kStreams> open_streams(const BitKernelArgs* args, int64_t row_block,
                                         int64_t row_block_end) {
  Streams<T::kStreams> s;
  const int absent = T::kPlanes - args->n_planes;
  for (int r = 0; r < T::kRowBlocks; ++r) {
    const int64_t block = min_of(row_block + r, row_block_end - 1);
    for (int i = 0; i < T::kPlanes; ++i) {
      const int plane = i < absent ? 0 : i - absent;
      s.mask[r * T::kPlanes + i] = i < absent ? 0 : 0xff;
      s.base[r * T::kPlanes + i] = args->planes[plane] + block * args->col_blocks * kBlockBytes;
    }
  }
  return s;
}

inline __m512i transpose_bits(__m512i planes) {
  const __m512i identity = _mm512_set1_epi64((long long)0x8040201008040201ULL);
  return _mm512_gf2p8affine_epi64_epi8(identity, planes, 0);
}

inline void interleave(const __m512i in[4], __m512i out[4]) {
  const __m512i lo01 = _mm512_unpacklo_epi8(in[0], in[1]),
                hi01 = _mm512_unpackhi_epi8(in[0], in[1]);
  const __m512i lo23 = _mm512_unpacklo_epi8(in[2], in[3]),
                hi23 = _mm512_unpackhi_epi8(in[2], in[3]);
  out[0] = _mm512_unpacklo_epi16(lo01, lo23);
  out[1] = _mm512_unpackhi_epi16(lo01, lo23);
  out[2] = _mm512_unpacklo_epi16(hi01, hi23);
  out[3] = _mm512_unpackhi_epi16(hi01, hi23);
}

template <int N>
inline void load_bytes(const Streams<N>& s, int64_t col_block, __m512i bytes[N]) {
  __m512i in[N];
  for (int i = 0; i < N; ++i) {
    const uint8_t* p = s.base[i] + col_block * kBlockBytes;
    in[i] = _mm512_maskz_loadu_epi64(s.mask[i], p);
    _mm_prefetch((const char*)p + kPrefetchBlocks * kBlockBytes, _MM_HINT_T0);
  }
  if constexpr (N == 4) {
    interleave(in, bytes);
  } else {
    __m512i upper[4], lower[4];
    interleave(in, upper);
    interleave(in + 4, lower);
    for (int v = 0; v < 4; ++v) {
      bytes[2 * v] = _mm512_unpacklo_epi32(upper[v], lower[v]);
      bytes[2 * v + 1] = _mm512_unpackhi_epi32(upper[v], lower[v]);
    }
  }
  for (int v = 0; v < N; ++v) bytes[v] = transpose_bits(bytes[v]);
}

// The activations that meet byte vector v.
template <int N>
inline __m512i load_activations(const uint8_t* digit, int v) {
  if constexpr (N == 8) {
    int32_t four;
    memcpy(&four, digit + 8 * v, sizeof four);
    return _mm512_set1_epi32(four);
  } else {
    return _mm512_broadcast_i32x4(_mm_load_si128((const __m128i*)(digit + 16 * v)));
  }
}

// Twice the sum over the m-th weight of each byte, from the masked sums.
template <class T>
inline __m512i twice_weight(const __m512i* sums, int m) {
  if (m + 1 == T::kMasks) return _mm512_add_epi32(sums[m], sums[m]);
  const int place = 8 - T::kPlanes * (m + 1);
  return _mm512_srai_epi32(_mm512_sub_epi32(sums[m], sums[m + 1]), place - 1);
}

// 2 sum(u q) of the 16 rows of the tile's row block r, from the masked sums of one half.
template <class T>
inline __m512i twice_products(const __m512i* sums, int r) {
  const __m512i first = twice_weight<T>(sums, r);
  if constexpr (T::kStreams == 8) return first;
  const __m512i second = twice_weight<T>(sums, T::kMasks / 2 + r);
  return _mm512_add_epi32(_mm512_unpacklo_epi64(first, second),
                          _mm512_unpackhi_epi64(first, second));
}

// A tile that reaches beyond the batch computes the last vector again.
template <class T>
inline void open_tile(const BitKernelArgs* args, int64_t first_vector, int64_t runs, T& t) {
  for (int n = 0; n < T::kVectors; ++n) {
    const int64_t vector = min_of(first_vector + n, args->batch - 1);
    t.activations[n] = args->activations + vector * args->activation_stride;
    t.run_sums[n] = args->run_sums + vector * T::kHalves * runs;
    for (int h = 0; h < T::kHalves; ++h) {
      for (int r = 0; r < T::kRowBlocks; ++r) t.acc[n][h][r] = _mm512_setzero_ps();
    }
  }
}

template <class T>
inline void clear_sums(T& t) {
  for (int c = 0; c < T::kChains; ++c) {
    for (int n = 0; n < T::kVectors; ++n) {
      for (int d = 0; d < T::kDigits; ++d) {
        for (int m = 0; m < T::kMasks; ++m) t.sums[c][n][d][m] = _mm512_setzero_si512();
      }
    }
  }
}

template <class T>
inline void add_block(const Streams<T::kStreams>& streams, int64_t block, T& t) {
  constexpr int N = T::kStreams;
  __m512i bytes[N];
  load_bytes<N>(streams, block, bytes);
  for (int v = 0; v < N; ++v) {
    __m512i masked[T::kMasks];
    masked[0] = bytes[v];
    for (int m = 1; m < T::kMasks; ++m) {
      masked[m] = _mm512_and_si512(bytes[v], _mm512_set1_epi8((char)(0xff >> (T::kPlanes * m))));
    }
    for (int n = 0; n < T::kVectors; ++n) {
      for (int d = 0; d < T::kDigits; ++d) {
        const __m512i x = load_activations<N>(t.activations[n] + (block * T::kDigits + d) * 64, v);
        __m512i* sums = t.sums[v % T::kChains][n][d];
        for (int m = 0; m < T::kMasks; ++m) sums[m] = _mm512_dpbusd_epi32(sums[m], masked[m], x);
      }
    }
  }
}

// Scales the sums of a run and adds them to the accumulators. The scales of the next tile's rows
// are on their way by then: the stretches of a row block are too short for the hardware to see.
template <class T>
inline void finish_run(const uint8_t* const scales[], int32_t top, int64_t runs, int64_t run,
                       T& t) {
  __m512 scale[T::kRowBlocks];
  for (int r = 0; r < T::kRowBlocks; ++r) {
    const uint8_t* from = scales[r] + run * kBlockRows;
    const __m128i bytes = _mm_loadu_si128((const __m128i*)from);
    _mm_prefetch((const char*)from + T::kRowBlocks * runs * kBlockRows, _MM_HINT_T0);
    scale[r] = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes));
  }
  for (int n = 0; n < T::kVectors; ++n) {
    for (int h = 0; h < T::kHalves; ++h) {
      __m512i half[T::kMasks];
      for (int m = 0; m < T::kMasks; ++m) {
        __m512i digit[T::kHalfDigits];
        for (int d = 0; d < T::kHalfDigits; ++d) {
          digit[d] = t.sums[0][n][h * T::kHalfDigits + d][m];
          if constexpr (T::kChains == 2) {
            digit[d] = _mm512_add_epi32(digit[d], t.sums[1][n][h * T::kHalfDigits + d][m]);
          }
        }
        half[m] = digit[0];
        if constexpr (T::kHalfDigits == 2) {
          half[m] = _mm512_add_epi32(half[m], _mm512_slli_epi32(digit[1], 8));
        }
      }
      const __m512i correction = _mm512_set1_epi32(top * t.run_sums[n][h * runs + run]);
      for (int r = 0; r < T::kRowBlocks; ++r) {
        const __m512i s = _mm512_sub_epi32(twice_products<T>(half, r), correction);
        const __m512 product = _mm512_mul_ps(_mm512_cvtepi32_ps(s), scale[r]);
        t.acc[n][h][r] = _mm512_add_ps(t.acc[n][h][r], product);
      }
    }
  }
}

template <class T>
void run_tile(const BitKernelArgs* args, int64_t row_block, int64_t row_block_end,
              int64_t first_vector) {
  const int64_t runs = (args->col_blocks + args->run_blocks - 1) / args->run_blocks;
  const int32_t top = (1 << args->n_planes) - 1;
  const Streams<T::kStreams> streams = open_streams<T>(args, row_block, row_block_end);
  const uint8_t* scales[T::kRowBlocks];
  for (int r = 0; r < T::kRowBlocks; ++r) {
    scales[r] = args->scales + min_of(row_block + r, row_block_end - 1) * runs * kBlockRows;
  }

  T t;
  open_tile(args, first_vector, runs, t);
  for (int64_t run = 0; run < runs; ++run) {
    clear_sums(t);
    const int64_t begin = run * args->run_blocks;
    const int64_t end = min_of(begin + args->run_blocks, args->col_blocks);
    for (int64_t block = begin; block < end; ++block) add_block(streams, block, t);
    finish_run(scales, top, runs, run, t);
  }

  for (int n = 0; n < T::kVectors && first_vector + n < args->batch; ++n) {
    for (int h = 0; h < T::kHalves; ++h) {
      float* out = args->acc + ((first_vector + n) * T::kHalves + h) * args->acc_stride;
      for (int r = 0; r < T::kRowBlocks && row_block + r < row_block_end; ++r) {
        _mm512_storeu_ps(out + (row_block + r) * kBlockRows, t.acc[n][h][r]);
      }
    }
  }
}

// All vectors from `first` on. A tile that would be filled by less than three quarters gives way
// to smaller ones.
template <int P, int N, int NX, int NV>
inline void run_vectors(const BitKernelArgs* args, int64_t row_block, int64_t row_block_end,
                        int64_t first) {
  for (; 4 * (args->batch - first) >= 3 * NV; first += NV) {
    run_tile<Tile<P, N, NX, NV>>(args, row_block, row_block_end, first);
  }
  if constexpr (NV > 1) {
    if (first < args->batch) run_vectors<P, N, NX, NV / 2>(args, row_block, row_block_end, first);
  }
}

// Row blocks that would fill a tile by no more than half go to the tile of half as many.
template <int P, int N, int NX, int NV>
void run_row_blocks(const BitKernelArgs* args, int64_t row_block, int64_t end) {
  constexpr int kRowBlocks = N / P;
  for (; 2 * (end - row_block) > kRowBlocks; row_block += kRowBlocks) {
    run_vectors<P, N, NX, NV>(args, row_block, end, 0);
  }
  if constexpr (kRowBlocks > 1) {
    constexpr int kHalfTilePlanes = N == 8 ? P : 2 * P;
    if (row_block < end) run_row_blocks<kHalfTilePlanes, 4, NX, NV>(args, row_block, end);
  }
}

// The tile for NX digits. NV fills the registers with sums. One or two planes have so many kinds of
// sums that only single vectors fit: a batch takes them as four planes.
template <int NX>
void run_digits(const BitKernelArgs* args, int64_t begin, int64_t end) {
  const int planes = args->n_planes;
  if (planes > 4) return run_row_blocks < 8, 8, NX, NX == 4 ? 4 : 8 > (args, begin, end);
  if (args->batch > 1) return run_row_blocks<4, 8, NX, 8 / NX>(args, begin, end);
  if (planes > 2) return run_row_blocks<4, 4, NX, 1>(args, begin, end);
  if (planes == 2 || NX == 4) return run_row_blocks<2, 4, NX, 1>(args, begin, end);
  return run_row_blocks < 1, 4, NX == 4 ? 2 : NX, 1 > (args, begin, end);
}

}  // namespace

void bytes_avx512_run(const BitKernelArgs* args, int64_t row_block_begin, int64_t row_block_end) {
  switch (args->activation_bits) {
    case 8:
      return run_digits<1>(args, row_block_begin, row_block_end);
    case 16:
      return run_digits<2>(args, row_block_begin, row_block_end);
    default:
      return run_digits<4>(args, row_block_begin, row_block_end);
  }
}

}  // namespace pbatch
