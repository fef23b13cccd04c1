// Products of codes with vectors of codes, and rows of tables.
// Also C99, a part of what `pbatch export-c` writes.
#pragma once

#include "kernel/integer_arithmetic.h"

/* Columns whose sum of products surely fits 32 bits: 255 * 32768 * 128 < 2^31. */
enum { PB_RUN = 128, PB_TILE_ROWS = 16 };

/* rows x cols numbers q (2 u - levels): u a code, q the scale of its group. acc = their product
 * with a vector, exact; result = limit(scale(acc + bias, to_result[row])). */
typedef struct {
  int32_t rows, cols;
  int32_t bits;   /* of a code's field: 1, 2, 4, 8 or 16 */
  int32_t levels; /* 2^n - 1 */
  int32_t group;  /* columns per scale */
  int32_t lo, hi;
  int32_t bytes;         /* codes of vectors fit a byte: 1 signed, 2 unsigned, 0 not */
  int32_t narrow;        /* |acc| < 2^31 for every vector that can come: proved from the codes */
  const void* codes;     /* [rows][cols] fields, the lowest bits first; of 16 bits uint16_t */
  const uint8_t* tiles;  /* the same for bits <= 8: [rows / 16][cols / 4][16][4]; or null */
  const uint8_t* scales; /* [rows][groups]; or null: all 1 */
  const uint8_t* tile_scales; /* the same for tiles: [rows / 16][groups][16] */
  const pb_dyadic* to_result; /* [rows] */
  const int64_t* bias;        /* [rows] or null */
} pb_product;

static inline int32_t pb_groups(const pb_product* p) { return (p->cols + p->group - 1) / p->group; }

static inline int32_t pb_padded_cols(const pb_product* p) { return (p->cols + 31) / 32 * 32; }

/* Codes to 16 bits, padded with zeros, and the sums of groups; for tiles also to bytes behind them.
 */
static inline void pb_pack(const pb_product* p, const int32_t* x, int16_t* packed, int64_t* sums) {
  const int32_t padded = pb_padded_cols(p);
  int32_t c, g;
  for (c = 0; c < p->cols; ++c) packed[c] = (int16_t)x[c];
  for (; c < padded; ++c) packed[c] = 0;
  if (p->tiles != 0 && p->bytes != 0) {
    uint8_t* const bytes = (uint8_t*)(packed + padded);
    for (c = 0; c < padded; ++c) bytes[c] = (uint8_t)packed[c];
  }
  for (g = 0; g < pb_groups(p); ++g) {
    const int32_t end = p->cols - g * p->group < p->group ? p->cols : (g + 1) * p->group;
    int64_t sum = 0;
    for (c = g * p->group; c < end; ++c) sum += packed[c];
    sums[g] = sum;
  }
}

/* sum of u x over columns begin ... end - 1 of a row. */
static inline int64_t pb_dot(const pb_product* p, int32_t row, const int16_t* x, int32_t begin,
                             int32_t end) {
  int64_t total = 0;
  int32_t c = begin;
  if (p->bits == 16) {
    const uint16_t* const u = (const uint16_t*)p->codes + (int64_t)row * p->cols;
    for (; c < end; ++c) total += (int64_t)u[c] * x[c];
    return total;
  }
  {
    const int32_t per_byte = 8 / p->bits, mask = (1 << p->bits) - 1;
    const int64_t row_bytes = (p->cols + per_byte - 1) / per_byte;
    const uint8_t* const u = (const uint8_t*)p->codes + row * row_bytes;
    while (c < end) {
      const int32_t stop = end - c < PB_RUN ? end : c + PB_RUN;
      int32_t sum = 0;
      for (; c < stop; ++c) {
        sum += (u[c / per_byte] >> (c % per_byte * p->bits) & mask) * x[c];
      }
      total += sum;
    }
  }
  return total;
}

static inline int32_t pb_result(const pb_product* p, int32_t row, int64_t acc) {
  return pb_scale(acc + (p->bias != 0 ? p->bias[row] : 0), p->to_result[row], p->lo, p->hi);
}

/* Rows begin ... end - 1 by the codes: slow, and what the tiles are compared with. */
static inline void pb_product_codes(const pb_product* p, const int16_t* x, const int64_t* sums,
                                    int32_t begin, int32_t end, int32_t* y) {
  const int32_t groups = pb_groups(p);
  int32_t r, g;
  for (r = begin; r < end; ++r) {
    int64_t acc = 0;
    for (g = 0; g < groups; ++g) {
      const int32_t stop = p->cols - g * p->group < p->group ? p->cols : (g + 1) * p->group;
      const int64_t sum = 2 * pb_dot(p, r, x, g * p->group, stop) - p->levels * sums[g];
      acc += p->scales != 0 ? p->scales[(int64_t)r * groups + g] * sum : sum;
    }
    y[r] = pb_result(p, r, acc);
  }
}

/* How rows are multiplied, and what that needs besides. */
typedef void (*pb_rows_fn)(const pb_product* p, const int16_t* x, const int64_t* sums,
                           int32_t begin, int32_t end, int32_t* y);

/* Bytes of scratch of a product: a packed vector and its sums. */
static inline int64_t pb_product_scratch(const pb_product* p) {
  return 3 * (int64_t)pb_padded_cols(p) + 8 * (int64_t)pb_groups(p);
}

/* y[rows] of a vector x[cols]. `scratch`: aligned to 8 bytes. */
static inline void pb_multiply(pb_rows_fn rows, const pb_product* p, const int32_t* x, int32_t* y,
                               void* scratch) {
  int64_t* const sums = (int64_t*)scratch;
  int16_t* const packed = (int16_t*)(sums + pb_groups(p));
  pb_pack(p, x, packed, sums);
  rows(p, packed, sums, 0, p->rows, y);
}

static inline void pb_linear(pb_rows_fn rows, const pb_product* p, int32_t vectors,
                             const int32_t* x, int32_t* y, void* scratch) {
  int32_t i;
  for (i = 0; i < vectors; ++i) {
    pb_multiply(rows, p, x + (int64_t)i * p->cols, y + (int64_t)i * p->rows, scratch);
  }
}
