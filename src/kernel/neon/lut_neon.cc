// Look-up tables: TBL finds what four weight bits make of four activations, for 16 rows at a time.
//
// A load that takes bytes apart (LD4) gives a register for each 8 columns, one row a byte; each
// half byte is a number in the table of its four columns. The found bytes of sums
// (kActivationTables) add up on their own over a run: those of the top, which are -2 to 1, in
// bytes, the others in 16 bits.
#include <arm_neon.h>
#include <stdint.h>
#include <string.h>

#include "kernel/kernel.h"

namespace pbatch {
namespace {

const int kTileRowBlocks = 2;  // that share the tables
const int kQuads = kBlockRows / 4;

inline int64_t min_of(int64_t a, int64_t b) { return a < b ? a : b; }

// Sums of 16 rows over a run: B bytes of each, of which the top one is signed.
template <int B>
struct Sums {
  uint16x8_t wide[B - 1][2];
  int8x16_t top;
};

template <int B>
inline void clear(Sums<B>& sums) {
  for (int i = 0; i < B - 1; ++i) sums.wide[i][0] = sums.wide[i][1] = vdupq_n_u16(0);
  sums.top = vdupq_n_s8(0);
}

template <int B>
inline void look_up(const uint8x16_t tables[B], uint8x16_t index, Sums<B>& sums) {
  for (int i = 0; i < B - 1; ++i) {
    const uint8x16_t found = vqtbl1q_u8(tables[i], index);
    sums.wide[i][0] = vaddw_u8(sums.wide[i][0], vget_low_u8(found));
    sums.wide[i][1] = vaddw_high_u8(sums.wide[i][1], found);
  }
  sums.top = vaddq_s8(sums.top, vreinterpretq_s8_u8(vqtbl1q_u8(tables[B - 1], index)));
}

// One block of RB row blocks.
template <int B, int RB>
inline void add_block(const uint8_t* const planes[RB], const uint8_t* tables, int64_t upper_stride,
                      Sums<B> sums[RB]) {
  uint8x16x4_t bytes[RB];
  for (int r = 0; r < RB; ++r) bytes[r] = vld4q_u8(planes[r]);
#pragma GCC unroll 4
  for (int b = 0; b < 4; ++b) {
    uint8x16_t lower[B], upper[B];
    for (int i = 0; i < B; ++i) {
      lower[i] = vld1q_u8(tables + 64 * i + 16 * b);
      upper[i] = vld1q_u8(tables + upper_stride + 64 * i + 16 * b);
    }
    for (int r = 0; r < RB; ++r) {
      look_up<B>(lower, vandq_u8(bytes[r].val[b], vdupq_n_u8(0x0f)), sums[r]);
      look_up<B>(upper, vshrq_n_u8(bytes[r].val[b], 4), sums[r]);
    }
  }
}

// Four rows of eight.
inline int32x4_t quad_of(int16x8_t rows, int quad) {
  return vmovl_s16(quad % 2 == 0 ? vget_low_s16(rows) : vget_high_s16(rows));
}

// The whole sums of four rows.
template <int B>
inline int32x4_t total_of(const Sums<B>& sums, int quad) {
  const int8x8_t eight = quad < 2 ? vget_low_s8(sums.top) : vget_high_s8(sums.top);
  int32x4_t total = vshlq_n_s32(quad_of(vmovl_s8(eight), quad), 8 * (B - 1));
  // At most 255 * 32, so the sign does not matter.
  total = vaddq_s32(total, quad_of(vreinterpretq_s16_u16(sums.wide[0][quad / 2]), quad));
  if constexpr (B == 3) {
    const int32x4_t middle = quad_of(vreinterpretq_s16_u16(sums.wide[1][quad / 2]), quad);
    total = vaddq_s32(total, vshlq_n_s32(middle, 8));
  }
  return total;
}

// Of four rows, as floats.
inline float32x4_t load_scales(const uint8_t* from) {
  uint32_t four;
  memcpy(&four, from, sizeof four);
  const uint16x8_t wide = vmovl_u8(vreinterpret_u8_u32(vdup_n_u32(four)));
  return vcvtq_f32_u32(vmovl_u16(vget_low_u16(wide)));
}

// Row blocks beyond the last one repeat it.
template <int A, int RB>
void run_tile(const BitKernelArgs* args, int64_t row_block, int64_t last_row_block, int64_t vector,
              int half) {
  constexpr int B = table_bytes(A), kHalves = activation_halves(A);
  constexpr int64_t kUpperStride = kHalves * B * 64;
  const int64_t runs = (args->col_blocks + args->run_blocks - 1) / args->run_blocks;
  const uint8_t* tables = args->activations + vector * args->activation_stride + half * B * 64;
  int64_t rows[RB];
  for (int r = 0; r < RB; ++r) rows[r] = min_of(row_block + r, last_row_block);
  float32x4_t acc[RB][kQuads];
  memset(acc, 0, sizeof acc);
  for (int64_t run = 0; run < runs; ++run) {
    const int64_t begin = run * args->run_blocks;
    const int64_t end = min_of(begin + args->run_blocks, args->col_blocks);
    int32x4_t totals[RB][kQuads];
    memset(totals, 0, sizeof totals);
    for (int p = 0; p < args->n_planes; ++p) {
      Sums<B> sums[RB];
      for (int r = 0; r < RB; ++r) clear(sums[r]);
      for (int64_t block = begin; block < end; ++block) {
        const uint8_t* planes[RB];
        for (int r = 0; r < RB; ++r) {
          planes[r] = args->planes[p] + (rows[r] * args->col_blocks + block) * kBlockBytes;
        }
        add_block<B, RB>(planes, tables + block * 2 * kUpperStride, kUpperStride, sums);
      }
      for (int r = 0; r < RB; ++r) {
        for (int q = 0; q < kQuads; ++q) {
          const int32x4_t twice = vaddq_s32(totals[r][q], totals[r][q]);
          totals[r][q] = vaddq_s32(twice, total_of(sums[r], q));
        }
      }
    }
    for (int r = 0; r < RB; ++r) {
      const uint8_t* scales = args->scales + (rows[r] * runs + run) * kBlockRows;
      for (int q = 0; q < kQuads; ++q) {
        const float32x4_t product =
            vmulq_f32(vcvtq_f32_s32(totals[r][q]), load_scales(scales + 4 * q));
        acc[r][q] = vaddq_f32(acc[r][q], product);
      }
    }
  }
  float* out = args->acc + (vector * kHalves + half) * args->acc_stride;
  for (int r = 0; r < RB && row_block + r <= last_row_block; ++r) {
    memcpy(out + (row_block + r) * kBlockRows, acc[r], sizeof acc[r]);
  }
}

template <int A>
void run_vectors(const BitKernelArgs* args, int64_t begin, int64_t end) {
  for (int64_t vector = 0; vector < args->batch; ++vector) {
    for (int half = 0; half < activation_halves(A); ++half) {
      for (int64_t row_block = begin; row_block < end; row_block += kTileRowBlocks) {
        run_tile<A, kTileRowBlocks>(args, row_block, end - 1, vector, half);
      }
    }
  }
}

}  // namespace

void lut_neon_run(const BitKernelArgs* args, int64_t row_block_begin, int64_t row_block_end) {
  if (args->activation_bits == 8) return run_vectors<8>(args, row_block_begin, row_block_end);
  if (args->activation_bits == 16) return run_vectors<16>(args, row_block_begin, row_block_end);
  run_vectors<32>(args, row_block_begin, row_block_end);
}

}  // namespace pbatch
