// Products of codes with vectors of codes, and rows of tables.
// Also C99, a part of what `pbatch export-c` writes.
#pragma once

#include "kernel/integer_arithmetic.h"

/* Columns whose sum of products surely fits 32 bits: 255 * 32768 * 128 < 2^31. */
enum { PB_RUN = 128, PB_TILE_ROWS = 16, PB_BAND_TILES = 4, PB_VECTORS = 4 };

/* rows x cols numbers q (2 u - levels): u a code, q the scale of its group. acc = their product
 * with a vector, exact; result = limit(scale(acc + bias, to_result[row])). */
typedef struct {
  int32_t rows, cols;
  int32_t bits;   /* of a code's field: 1, 2, 4, 8 or 16 */
  int32_t levels; /* 2^n - 1 */
  int32_t group;  /* columns per scale: a multiple of 32, or all */
  int32_t lo, hi;
  int32_t bytes;     /* codes of vectors fit a byte: 1 signed, 2 unsigned, 0 not */
  int32_t narrow;    /* |acc| < 2^31 for every vector that can come: proved from the codes */
  const void* codes; /* [rows][cols] fields, the lowest bits first; of 16 bits uint16_t */
  /* The same for bits <= 8, or null. A tile is 16 rows, a band 4 tiles, the last one what is left:
   * [bands][cols / 32][tiles][bits][16][4] bytes. Columns 4 (8 / bits v + k) ... + 3 of the 32 are
   * in the k-th field, from the lowest, of bytes [v][row]. */
  const uint8_t* tiles;
  const uint8_t* scales;       /* [rows][groups]; or null: all 1 */
  const uint8_t* tile_scales;  /* the same for tiles: [bands][groups][tiles][16] */
  const int64_t* tile_offsets; /* [rows]: acc of a vector of 128 everywhere */
  const pb_dyadic* to_result;  /* [rows] */
  const int64_t* bias;         /* [rows] or null */
} pb_product;

static inline int32_t pb_groups(const pb_product* p) { return (p->cols + p->group - 1) / p->group; }

static inline int32_t pb_padded_cols(const pb_product* p) { return (p->cols + 31) / 32 * 32; }

/* Bytes of a packed vector: sums, and two bytes a column. */
static inline int64_t pb_packed_bytes(const pb_product* p) {
  const int64_t padded = pb_padded_cols(p);
  return 8 * (int64_t)pb_groups(p) + (padded / PB_RUN + 2) / 2 * 8 + 2 * padded;
}

/* The sums of groups, and codes of 16 bits. */
static inline void pb_pack(const pb_product* p, const int32_t* x, void* packed) {
  int64_t* const sums = (int64_t*)packed;
  int16_t* const codes = (int16_t*)(sums + pb_groups(p));
  int32_t c, g;
  for (c = 0; c < p->cols; ++c) codes[c] = (int16_t)x[c];
  for (g = 0; g < pb_groups(p); ++g) {
    const int32_t end = p->cols - g * p->group < p->group ? p->cols : (g + 1) * p->group;
    int64_t sum = 0;
    for (c = g * p->group; c < end; ++c) sum += codes[c];
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

/* Rows begin ... end - 1 of one packed vector by the codes: slow, and what the tiles are compared
 * with. */
static inline void pb_product_codes(const pb_product* p, const void* packed, int32_t begin,
                                    int32_t end, int32_t* y) {
  const int64_t* const sums = (const int64_t*)packed;
  const int32_t groups = pb_groups(p);
  const int16_t* const x = (const int16_t*)(sums + groups);
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

/* What may be done part by part, in any order: items begin ... end - 1 of something. */
typedef void (*pb_part_fn)(const void* what, int32_t begin, int32_t end);

/* How vectors are multiplied: a vector is packed, pb_packed_bytes after the one before, and then
 * rows begin (a multiple of 16) ... end - 1 of `vectors` of them, at most PB_VECTORS, go to
 * y[rows]. */
typedef struct {
  int32_t vectors; /* at once */
  void (*pack)(const pb_product* p, const int32_t* x, void* packed);
  void (*rows)(const pb_product* p, const void* packed, int32_t vectors, int32_t begin, int32_t end,
               int32_t* y);
  /* Has threads do all `count` items, multiples of `grain` each; null: there is one thread. */
  void (*share)(void* pool, int32_t count, int32_t grain, pb_part_fn part, const void* what);
  void* pool;
} pb_multiplier;

/* Products of so few weights are not worth sharing. */
enum { PB_SHARED_WEIGHTS = 1 << 17 };

static inline int32_t pb_is_shared(const pb_multiplier* m, const pb_product* p, int32_t vectors) {
  return m->share != 0 && (int64_t)p->rows * p->cols * vectors >= PB_SHARED_WEIGHTS;
}

static inline void pb_rows_by_codes(const pb_product* p, const void* packed, int32_t vectors,
                                    int32_t begin, int32_t end, int32_t* y) {
  int32_t i;
  for (i = 0; i < vectors; ++i) {
    pb_product_codes(p, (const char*)packed + i * pb_packed_bytes(p), begin, end,
                     y + (int64_t)i * p->rows);
  }
}

static const pb_multiplier pb_by_codes = {1, pb_pack, pb_rows_by_codes, 0, 0};

/* All rows, of tiles of 16 that threads share. */
typedef struct {
  const pb_multiplier* m;
  const pb_product* p;
  const void* packed;
  int32_t vectors;
  int32_t* y;
} pb_all_rows;

static inline void pb_rows_part(const void* what, int32_t begin, int32_t end) {
  const pb_all_rows* const a = (const pb_all_rows*)what;
  const int32_t last = end * PB_TILE_ROWS;
  a->m->rows(a->p, a->packed, a->vectors, begin * PB_TILE_ROWS,
             last < a->p->rows ? last : a->p->rows, a->y);
}

static inline void pb_multiply_rows(const pb_multiplier* m, const pb_product* p, const void* packed,
                                    int32_t vectors, int32_t* y) {
  const int32_t tiles = (p->rows + PB_TILE_ROWS - 1) / PB_TILE_ROWS;
  pb_all_rows a;
  a.m = m;
  a.p = p;
  a.packed = packed;
  a.vectors = vectors;
  a.y = y;
  if (pb_is_shared(m, p, vectors)) {
    m->share(m->pool, tiles, PB_BAND_TILES, pb_rows_part, &a);
  } else {
    pb_rows_part(&a, 0, tiles);
  }
}

/* y[rows] of a vector x[cols]. `packed`: aligned to 8 bytes. */
static inline void pb_multiply(const pb_multiplier* m, const pb_product* p, const int32_t* x,
                               int32_t* y, void* packed) {
  m->pack(p, x, packed);
  pb_multiply_rows(m, p, packed, 1, y);
}

/* `packed`: of m->vectors vectors. */
static inline void pb_linear(const pb_multiplier* m, const pb_product* p, int32_t vectors,
                             const int32_t* x, int32_t* y, void* packed) {
  int32_t i, k;
  for (i = 0; i < vectors; i += m->vectors) {
    const int32_t count = vectors - i < m->vectors ? vectors - i : m->vectors;
    for (k = 0; k < count; ++k) {
      m->pack(p, x + (int64_t)(i + k) * p->cols, (char*)packed + k * pb_packed_bytes(p));
    }
    pb_multiply_rows(m, p, packed, count, y + (int64_t)i * p->rows);
  }
}
