// Steps of integer networks but for recurrent layers: windows, elementwise, movement, rows.
// Also C99, a part of what `pbatch export-c` writes.
#pragma once

#include "kernel/integer_product.h"

typedef struct {
  int32_t batch, channels; /* of the input */
  int32_t in[3], out[3], kernel[3], strides[3], dilations[3], pads[3];
} pb_windows;

static inline int32_t pb_volume(const int32_t size[3]) { return size[0] * size[1] * size[2]; }

/* Place of tap (z, y, x) of window `o` in an image of one channel; -1: off the image. */
static inline int32_t pb_tap(const pb_windows* w, const int32_t o[3], const int32_t tap[3]) {
  int32_t place = 0, d;
  for (d = 0; d < 3; ++d) {
    const int32_t at = o[d] * w->strides[d] + tap[d] * w->dilations[d] - w->pads[d];
    if (at < 0 || at >= w->in[d]) return -1;
    place = place * w->in[d] + at;
  }
  return place;
}

static inline void pb_unravel(int32_t i, const int32_t size[3], int32_t at[3]) {
  at[2] = i % size[2];
  at[1] = i / size[2] % size[1];
  at[0] = i / size[2] / size[1];
}

typedef struct {
  pb_windows windows;
  int32_t groups; /* a product for each, in order */
  const pb_product* products;
  const int32_t* columns; /* [cols][2]: channel in the group, and tap */
} pb_convolution;

/* Codes of scratch before what pb_multiply needs: where taps lie, a window, its results. */
static inline int64_t pb_convolution_codes(const pb_convolution* c) {
  const int64_t codes =
      (int64_t)pb_volume(c->windows.kernel) + c->products[0].cols + c->products[0].rows;
  return (codes + 1) / 2 * 2;
}

static inline int64_t pb_convolution_scratch(const pb_convolution* c) {
  return 4 * pb_convolution_codes(c) + pb_packed_bytes(c->products);
}

/* Places of all taps of window `p`. */
static inline void pb_places(const pb_windows* w, int32_t p, int32_t* places) {
  int32_t o[3], tap[3];
  pb_unravel(p, w->out, o);
  for (tap[0] = 0; tap[0] < w->kernel[0]; ++tap[0]) {
    for (tap[1] = 0; tap[1] < w->kernel[1]; ++tap[1]) {
      for (tap[2] = 0; tap[2] < w->kernel[2]; ++tap[2]) *places++ = pb_tap(w, o, tap);
    }
  }
}

static inline void pb_convolve(const pb_multiplier* m, const pb_convolution* c, const int32_t* x,
                               int32_t* y, void* scratch) {
  const pb_windows* const w = &c->windows;
  const int32_t cols = c->products[0].cols, outputs = c->products[0].rows;
  const int32_t image = pb_volume(w->in), positions = pb_volume(w->out);
  const int32_t channels = w->channels / c->groups;
  int32_t* const places = (int32_t*)scratch;
  int32_t* const window = places + pb_volume(w->kernel);
  int32_t* const results = window + cols;
  void* const rest = (int32_t*)scratch + pb_convolution_codes(c);
  int32_t n, g, p, i;
  for (p = 0; p < positions; ++p) {
    pb_places(w, p, places);
    for (n = 0; n < w->batch; ++n) {
      for (g = 0; g < c->groups; ++g) {
        const int32_t* const from = x + ((int64_t)n * w->channels + g * channels) * image;
        int32_t* const to = y + ((int64_t)n * c->groups + g) * outputs * positions;
        for (i = 0; i < cols; ++i) {
          const int32_t place = places[c->columns[2 * i + 1]];
          window[i] = place < 0 ? 0 : from[(int64_t)c->columns[2 * i] * image + place];
        }
        pb_multiply(m, c->products + g, window, results, rest);
        for (i = 0; i < outputs; ++i) to[(int64_t)i * positions + p] = results[i];
      }
    }
  }
}

typedef struct {
  pb_windows windows;
  int32_t average;           /* 0: the greatest */
  const pb_dyadic* by_count; /* average: [taps + 1], what a sum of so many is scaled by */
  int32_t count_padding;     /* average: taps off the image count as zeros */
  int32_t lo, hi;
} pb_pool;

static inline void pb_pool_run(const pb_pool* a, const int32_t* x, int32_t* y) {
  const pb_windows* const w = &a->windows;
  const int32_t image = pb_volume(w->in), positions = pb_volume(w->out);
  const int32_t taps = pb_volume(w->kernel), images = w->batch * w->channels;
  int32_t n, p, t;
  for (n = 0; n < images; ++n) {
    for (p = 0; p < positions; ++p) {
      const int32_t* const from = x + (int64_t)n * image;
      int32_t o[3], tap[3], count = 0, most = 0;
      int64_t sum = 0;
      pb_unravel(p, w->out, o);
      for (t = 0; t < taps; ++t) {
        int32_t place;
        pb_unravel(t, w->kernel, tap);
        place = pb_tap(w, o, tap);
        if (place < 0) continue;
        sum += from[place];
        most = count == 0 || from[place] > most ? from[place] : most;
        ++count;
      }
      if (a->count_padding) count = taps;
      y[(int64_t)n * positions + p] =
          a->average ? pb_scale(sum, a->by_count[count], a->lo, a->hi) : most;
    }
  }
}

/* ---- elementwise, movement ----------------------------------------------------------------------
 */

/* y = limit(scale(x)): another scale, a bound, a Relu. */
typedef struct {
  int64_t count;
  pb_dyadic scale;
  int32_t lo, hi;
} pb_rescale;

static inline void pb_rescale_run(const pb_rescale* a, const int32_t* x, int32_t* y) {
  int64_t i;
  for (i = 0; i < a->count; ++i) y[i] = pb_scale(x[i], a->scale, a->lo, a->hi);
}

enum { PB_ADD, PB_MULTIPLY, PB_MAX, PB_MIN };

typedef struct {
  int64_t count;
  int32_t kind;
  const int32_t* from_a; /* [count]: which element of a; null: its own */
  const int32_t* from_b;
  int32_t by_a, by_b; /* PB_ADD, PB_MAX, PB_MIN: multipliers of one shift */
  pb_dyadic scale;    /* of the result; its multiplier is 1 but for PB_MULTIPLY */
  int32_t lo, hi;
} pb_binary;

static inline void pb_binary_run(const pb_binary* s, const int32_t* a, const int32_t* b,
                                 int32_t* y) {
  int64_t i;
  for (i = 0; i < s->count; ++i) {
    const int64_t left = a[s->from_a != 0 ? s->from_a[i] : i];
    const int64_t right = b[s->from_b != 0 ? s->from_b[i] : i];
    int64_t result = left * right;
    if (s->kind != PB_MULTIPLY) {
      const int64_t one = left * s->by_a, other = right * s->by_b;
      result = s->kind == PB_ADD ? one + other : (one > other) == (s->kind == PB_MAX) ? one : other;
    }
    y[i] = pb_scale(result, s->scale, s->lo, s->hi);
  }
}

/* Any function of one code: entries at every 2^shift-th code from `first` on, straight lines
 * between. */
typedef struct {
  int64_t count;
  int32_t first, last; /* codes that have a value; others count as the nearest */
  int32_t shift;
  const int32_t* entries;
} pb_table;

static inline void pb_table_run(const pb_table* t, const int32_t* x, int32_t* y) {
  int64_t i;
  for (i = 0; i < t->count; ++i) {
    const int32_t at = pb_limit(x[i], t->first, t->last) - t->first;
    const int32_t k = at >> t->shift, part = at & (((int32_t)1 << t->shift) - 1);
    const int64_t low = t->entries[k], high = part == 0 ? low : t->entries[k + 1];
    y[i] = (int32_t)(low + pb_round_shift((high - low) * part, t->shift));
  }
}

/* Floor of the square root. */
static inline int64_t pb_root(int64_t x) {
  int64_t root = 0, bit;
  for (bit = (int64_t)1 << 31; bit != 0; bit >>= 1) {
    if ((root + bit) * (root + bit) <= x) root += bit;
  }
  return root;
}

/* Square roots: results are scaled from the root of x 2^30; of negative codes 0. */
static inline void pb_sqrt_run(const pb_rescale* a, const int32_t* x, int32_t* y) {
  int64_t i;
  for (i = 0; i < a->count; ++i) {
    const int64_t root = x[i] <= 0 ? 0 : pb_root((int64_t)x[i] * ((int64_t)1 << 30));
    y[i] = pb_scale(root, a->scale, a->lo, a->hi);
  }
}

/* y[i] = x[from[i]], 0 where from[i] < 0: what moves, repeats or pads elements. */
typedef struct {
  int64_t count;
  const int32_t* from;
} pb_move;

static inline void pb_move_run(const pb_move* m, const int32_t* x, int32_t* y) {
  int64_t i;
  for (i = 0; i < m->count; ++i) y[i] = m->from[i] < 0 ? 0 : x[m->from[i]];
}

/* y[to[i]] = x[i]: the part of a Concat. */
static inline void pb_place_run(const pb_move* m, const int32_t* x, int32_t* y) {
  int64_t i;
  for (i = 0; i < m->count; ++i) y[m->from[i]] = x[i];
}

/* Rows of a table by index, negative ones from the end; an index that is out of range takes the
 * nearest row. */
typedef struct {
  int64_t count;
  const pb_product* table; /* its rows: result = scale(q (2 u - levels)) */
} pb_lookup;

static inline void pb_lookup_run(const pb_lookup* l, const int32_t* x, int32_t* y) {
  const pb_product* const p = l->table;
  const int32_t groups = pb_groups(p), per_byte = p->bits == 16 ? 1 : 8 / p->bits;
  const int32_t mask = (int32_t)(((uint32_t)1 << p->bits) - 1);
  int64_t i;
  int32_t c;
  for (i = 0; i < l->count; ++i) {
    const int32_t row = pb_limit(x[i] < 0 ? (int64_t)x[i] + p->rows : x[i], 0, p->rows - 1);
    for (c = 0; c < p->cols; ++c) {
      const int32_t code =
          p->bits == 16
              ? ((const uint16_t*)p->codes)[(int64_t)row * p->cols + c]
              : ((const uint8_t*)p->codes)[row * (int64_t)((p->cols + per_byte - 1) / per_byte) +
                                           c / per_byte] >>
                        (c % per_byte * p->bits) &
                    mask;
      const int64_t level = 2 * code - p->levels;
      const int32_t q = p->scales != 0 ? p->scales[(int64_t)row * groups + c / p->group] : 1;
      y[i * p->cols + c] = pb_scale(level * q, p->to_result[row], p->lo, p->hi);
    }
  }
}

/* ---- rows: means, softmax, normalization --------------------------------------------------------
 */

/* Sum or maximum of rows of n. */
typedef struct {
  int32_t rows, n;
  int32_t greatest;
  pb_dyadic scale;
  int32_t lo, hi;
} pb_reduce;

static inline void pb_reduce_run(const pb_reduce* a, const int32_t* x, int32_t* y) {
  int32_t r, i;
  for (r = 0; r < a->rows; ++r, x += a->n) {
    int64_t sum = 0, most = x[0];
    for (i = 0; i < a->n; ++i) {
      sum += x[i];
      most = x[i] > most ? x[i] : most;
    }
    y[r] = pb_scale(a->greatest ? most : sum, a->scale, a->lo, a->hi);
  }
}

/* Softmax of rows of n; results are of 2^-15. */
typedef struct {
  int32_t rows, n;
  pb_dyadic to_log2;     /* codes to binary logarithms of 2^-16 */
  const int32_t* powers; /* [257]: 2^(30 - i / 256) */
} pb_softmax;

/* 2^30 * 2^-(t / 65536), t >= 0. */
static inline int32_t pb_power(const int32_t* powers, int64_t t) {
  const int32_t whole = (int32_t)(t >> 16 > 31 ? 31 : t >> 16);
  const int32_t i = (int32_t)(t >> 8 & 255), part = (int32_t)(t & 255);
  const int64_t y = powers[i] + (((int64_t)powers[i + 1] - powers[i]) * part >> 8);
  return (int32_t)(y >> whole);
}

static inline void pb_softmax_run(const pb_softmax* s, const int32_t* x, int32_t* y) {
  int32_t r, i;
  for (r = 0; r < s->rows; ++r, x += s->n, y += s->n) {
    int32_t most = x[0];
    int64_t sum = 0;
    for (i = 1; i < s->n; ++i) most = x[i] > most ? x[i] : most;
    for (i = 0; i < s->n; ++i) {
      const int64_t below = (int64_t)most - x[i];
      y[i] = pb_power(s->powers, pb_round_shift(below * s->to_log2.multiplier, s->to_log2.shift));
      sum += y[i];
    }
    for (i = 0; i < s->n; ++i) y[i] = (int32_t)((((int64_t)y[i] << 15) + sum / 2) / sum);
  }
}

/* Rows of n less their mean, over their standard deviation, times gamma plus beta. */
typedef struct {
  int32_t rows, n;
  int64_t epsilon;      /* in squares of 2^-4 codes of x */
  const int32_t* gamma; /* [n] */
  const int64_t* beta;  /* [n], in units of 2^-15 gamma's */
  pb_dyadic scale;
  int32_t lo, hi;
} pb_layer_norm;

static inline void pb_layer_norm_run(const pb_layer_norm* a, const int32_t* x, int32_t* y) {
  int32_t r, i;
  for (r = 0; r < a->rows; ++r, x += a->n, y += a->n) {
    int64_t sum = 0, squares = 0, mean, root;
    for (i = 0; i < a->n; ++i) sum += x[i];
    mean = (16 * sum + (sum < 0 ? -a->n / 2 : a->n / 2)) / a->n;
    for (i = 0; i < a->n; ++i) squares += (16 * (int64_t)x[i] - mean) * (16 * (int64_t)x[i] - mean);
    root = pb_root((squares / a->n + a->epsilon) << 18); /* 2^9 standard deviations */
    if (root == 0) root = 1;
    for (i = 0; i < a->n; ++i) {
      const int64_t d = (16 * (int64_t)x[i] - mean) * (1 << 24);
      const int64_t normal = d / root; /* of 2^-15 */
      y[i] =
          pb_scale(normal * a->gamma[i] + (a->beta != 0 ? a->beta[i] : 0), a->scale, a->lo, a->hi);
    }
  }
}

/* Products of two values: y[m][n] = a[m][k] b[k][n] for each of `count` pairs. */
typedef struct {
  int32_t count, m, k, n;
  const int32_t* from_a; /* [count]: which matrix of a; null: its own */
  const int32_t* from_b;
  pb_dyadic scale;
  int32_t lo, hi;
} pb_matmul;

static inline void pb_matmul_run(const pb_matmul* s, const int32_t* a, const int32_t* b,
                                 int32_t* y) {
  int32_t p, i, j, l;
  for (p = 0; p < s->count; ++p) {
    const int32_t* const left = a + (int64_t)(s->from_a != 0 ? s->from_a[p] : p) * s->m * s->k;
    const int32_t* const right = b + (int64_t)(s->from_b != 0 ? s->from_b[p] : p) * s->k * s->n;
    for (i = 0; i < s->m; ++i) {
      for (j = 0; j < s->n; ++j) {
        int64_t acc = 0;
        for (l = 0; l < s->k; ++l) acc += (int64_t)left[i * s->k + l] * right[l * s->n + j];
        *y++ = pb_scale(acc, s->scale, s->lo, s->hi);
      }
    }
  }
}
