// Look-up tables on AVX2: VPSHUFB finds the sum that four weight bits choose of four activations,
// for 16 rows and two groups of four columns at a time.
//
// Sums of a byte digit, made positive, are numbers of ten bits (kActivationShuffleTables), looked
// up as two of five bits: eight of these fit a byte sum.
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "kernel/kernel.h"

namespace pbatch {
namespace {

const int64_t kPrefetchBytes = 1024;  // ahead, per row block

inline int64_t min_of(int64_t a, int64_t b) { return a < b ? a : b; }

// Fixed by a tile's row blocks RB, columns NV (halves of vectors) and digits of a half NX.
template <int RB, int NV, int NX>
struct Tile {
  static constexpr int kRowBlocks = RB, kColumns = NV, kDigits = NX;

  __m256i sums[RB][NV][NX][2];  // of one run, over all planes; eight rows each
  __m256 acc[RB][NV][2];
  int64_t row_blocks[RB];
  const uint8_t* tables[NV][NX];
  const int32_t* run_sums[NV];
  int64_t block_bytes;  // from the tables of one block to the next
};

// Byte sums of what was looked up, low and high five bits.
template <class T>
struct ByteSums {
  __m256i at[T::kRowBlocks][T::kColumns][T::kDigits][2];
};

template <class T>
inline void clear(ByteSums<T>& bytes) {
  for (int r = 0; r < T::kRowBlocks; ++r) {
    for (int n = 0; n < T::kColumns; ++n) {
      for (int d = 0; d < T::kDigits; ++d) {
        bytes.at[r][n][d][0] = bytes.at[r][n][d][1] = _mm256_setzero_si256();
      }
    }
  }
}

// The sum as it is now: GCC would else look up much before it adds, and registers are too few.
inline __m256i in_register(__m256i sum) {
  __asm__("" : "+x"(sum));
  return sum;
}

inline __m256i load(const uint8_t* from) { return _mm256_loadu_si256((const __m256i*)from); }

// Looks up the 16 columns i of a block: rows are those of the row blocks, `weights` one plane.
template <class T>
inline void look_up(const T& t, const uint8_t* const weights[T::kRowBlocks], int64_t block, int i,
                    ByteSums<T>& bytes) {
  const __m256i nibble = _mm256_set1_epi8(0x0f);
  for (int r = 0; r < T::kRowBlocks; ++r) {
    const uint8_t* from = weights[r] + block * kBlockBytes + 32 * i;
    if (i == 0) _mm_prefetch((const char*)from + kPrefetchBytes, _MM_HINT_T0);
    const __m256i bits = load(from);
    const __m256i index[2] = {_mm256_and_si256(bits, nibble),
                              _mm256_and_si256(_mm256_srli_epi16(bits, 4), nibble)};
    for (int n = 0; n < T::kColumns; ++n) {
      for (int d = 0; d < T::kDigits; ++d) {
        const uint8_t* tables = t.tables[n][d] + block * t.block_bytes + kShuffleTableBytes / 2 * i;
        for (int k = 0; k < 2; ++k) {
          for (int part = 0; part < 2; ++part) {
            const __m256i found = _mm256_shuffle_epi8(load(tables + 64 * k + 32 * part), index[k]);
            __m256i& sum = bytes.at[r][n][d][part];
            sum = in_register(_mm256_add_epi8(sum, found));
          }
        }
      }
    }
  }
}

// Adds the byte sums to words[0], rows 0 .. 7, and words[1], rows 8 .. 15: of each lane on its own.
inline void widen(const __m256i bytes[2], __m256i words[2]) {
  const __m256i weights = _mm256_set1_epi16(1 | 1 << (8 + kShuffleTableBits));
  const __m256i first = _mm256_unpacklo_epi8(bytes[0], bytes[1]);
  const __m256i second = _mm256_unpackhi_epi8(bytes[0], bytes[1]);
  words[0] = _mm256_add_epi16(words[0], _mm256_maddubs_epi16(first, weights));
  words[1] = _mm256_add_epi16(words[1], _mm256_maddubs_epi16(second, weights));
}

// Doubles the sums of a run and adds those of one plane: at most 32 * (kShuffleTableOffset + 508) <
// 2^15.
template <class T>
inline void add_plane(const BitKernelArgs* args, int plane, int64_t begin, int64_t end, T& t) {
  const uint8_t* weights[T::kRowBlocks];
  __m256i words[T::kRowBlocks][T::kColumns][T::kDigits][2];
  for (int r = 0; r < T::kRowBlocks; ++r) {
    weights[r] = args->planes[plane] + t.row_blocks[r] * args->col_blocks * kBlockBytes;
    for (int n = 0; n < T::kColumns; ++n) {
      for (int d = 0; d < T::kDigits; ++d) {
        words[r][n][d][0] = words[r][n][d][1] = _mm256_setzero_si256();
      }
    }
  }
  for (int64_t block = begin; block < end; block += 2) {
    ByteSums<T> bytes;
    clear(bytes);
    look_up(t, weights, block, 0, bytes);
    look_up(t, weights, block, 1, bytes);
    if (block + 1 < end) {
      look_up(t, weights, block + 1, 0, bytes);
      look_up(t, weights, block + 1, 1, bytes);
    }
    for (int r = 0; r < T::kRowBlocks; ++r) {
      for (int n = 0; n < T::kColumns; ++n) {
        for (int d = 0; d < T::kDigits; ++d) widen(bytes.at[r][n][d], words[r][n][d]);
      }
    }
  }
  for (int r = 0; r < T::kRowBlocks; ++r) {
    for (int n = 0; n < T::kColumns; ++n) {
      for (int d = 0; d < T::kDigits; ++d) {
        const __m256i* lanes = words[r][n][d];
        const __m256i rows = _mm256_add_epi16(_mm256_permute2x128_si256(lanes[0], lanes[1], 0x20),
                                              _mm256_permute2x128_si256(lanes[0], lanes[1], 0x31));
        const __m256i wide[2] = {_mm256_cvtepi16_epi32(_mm256_castsi256_si128(rows)),
                                 _mm256_cvtepi16_epi32(_mm256_extracti128_si256(rows, 1))};
        for (int e = 0; e < 2; ++e) {
          __m256i& sum = t.sums[r][n][d][e];
          sum = plane == 0 ? wide[e] : _mm256_add_epi32(_mm256_add_epi32(sum, sum), wide[e]);
        }
      }
    }
  }
}

// Scales the sums of a run and adds them to the accumulators. Sums count modulo 2^32; S itself
// fits.
template <class T>
inline void finish_run(const BitKernelArgs* args, int64_t blocks, int64_t runs, int64_t run, T& t) {
  const uint32_t top = (1u << args->n_planes) - 1;
  const uint32_t offset =
      (uint32_t)blocks * (kBlockCols / 4) * kShuffleTableOffset * (T::kDigits == 2 ? 257 : 1);
  for (int r = 0; r < T::kRowBlocks; ++r) {
    const uint8_t* scales = args->scales + (t.row_blocks[r] * runs + run) * kBlockRows;
    for (int e = 0; e < 2; ++e) {
      const __m256 scale = _mm256_cvtepi32_ps(
          _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i*)(scales + 8 * e))));
      for (int n = 0; n < T::kColumns; ++n) {
        __m256i sum = t.sums[r][n][0][e];
        if constexpr (T::kDigits == 2) {
          sum = _mm256_add_epi32(sum, _mm256_slli_epi32(t.sums[r][n][1][e], 8));
        }
        const uint32_t correction = top * ((uint32_t)t.run_sums[n][run] + 2 * offset);
        const __m256i s =
            _mm256_sub_epi32(_mm256_add_epi32(sum, sum), _mm256_set1_epi32((int32_t)correction));
        const __m256 product = _mm256_mul_ps(_mm256_cvtepi32_ps(s), scale);
        t.acc[r][n][e] = _mm256_add_ps(t.acc[r][n][e], product);
      }
    }
  }
}

// A tile that reaches beyond the row blocks or the columns computes the last ones again.
template <class T>
void run_tile(const BitKernelArgs* args, int64_t row_block, int64_t row_block_end,
              int64_t first_column) {
  const int64_t runs = (args->col_blocks + args->run_blocks - 1) / args->run_blocks;
  const int halves = activation_halves(args->activation_bits);
  const int64_t columns = args->batch * halves;
  T t;
  t.block_bytes = args->activation_bits / 8 * kShuffleTableBytes;
  for (int r = 0; r < T::kRowBlocks; ++r)
    t.row_blocks[r] = min_of(row_block + r, row_block_end - 1);
  for (int n = 0; n < T::kColumns; ++n) {
    const int64_t column = min_of(first_column + n, columns - 1);
    for (int d = 0; d < T::kDigits; ++d) {
      t.tables[n][d] = args->activations + column / halves * args->activation_stride +
                       (column % halves * T::kDigits + d) * kShuffleTableBytes;
    }
    t.run_sums[n] = args->run_sums + column * runs;
  }
  memset(t.acc, 0, sizeof t.acc);
  for (int64_t run = 0; run < runs; ++run) {
    const int64_t begin = run * args->run_blocks;
    const int64_t end = min_of(begin + args->run_blocks, args->col_blocks);
    for (int plane = 0; plane < args->n_planes; ++plane) add_plane(args, plane, begin, end, t);
    finish_run(args, end - begin, runs, run, t);
  }
  for (int n = 0; n < T::kColumns && first_column + n < columns; ++n) {
    float* out = args->acc + (first_column + n) * args->acc_stride;
    for (int r = 0; r < T::kRowBlocks && row_block + r < row_block_end; ++r) {
      _mm256_storeu_ps(out + (row_block + r) * kBlockRows, t.acc[r][n][0]);
      _mm256_storeu_ps(out + (row_block + r) * kBlockRows + 8, t.acc[r][n][1]);
    }
  }
}

template <int RB, int NV, int NX>
void run_tiles(const BitKernelArgs* args, int64_t begin, int64_t end) {
  const int64_t columns = args->batch * activation_halves(args->activation_bits);
  for (int64_t row_block = begin; row_block < end; row_block += RB) {
    for (int64_t column = 0; column < columns; column += NV) {
      run_tile<Tile<RB, NV, NX>>(args, row_block, end, column);
    }
  }
}

}  // namespace

// Four digits fill the registers with sums.
void lut_avx2_run(const BitKernelArgs* args, int64_t row_block_begin, int64_t row_block_end) {
  if (args->activation_bits > 8) {
    run_tiles<2, 1, 2>(args, row_block_begin, row_block_end);
  } else if (args->batch > 1) {
    run_tiles<2, 2, 1>(args, row_block_begin, row_block_end);
  } else {
    run_tiles<4, 1, 1>(args, row_block_begin, row_block_end);
  }
}

}  // namespace pbatch
