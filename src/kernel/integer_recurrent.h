// Recurrent layers of integer networks.
// Also C99, a part of what `pbatch export-c` writes.
#pragma once

#include "kernel/integer_product.h"

enum { PB_RNN, PB_LSTM, PB_GRU };

/* One direction. What enters a gate's function and cell states c are of 2^-20 and limited to 2^10,
 * gates and states h of 2^-15. XW is within 2^30; products, and biases, stay below it, so that a
 * sum with one of them fits 32 bits. Rows of gates: graph/gate_tiles.h. */
typedef struct {
  int32_t cell, steps, batch, hidden;
  int64_t x_step, x_vector; /* elements of XW from one step, one vector to the next */
  int64_t y_step, y_vector; /* of Y; last_vector: of Y_h and Y_c */
  int64_t initial_vector, last_vector;
  int32_t reverse, couple_forget, linear_before_reset;
  int32_t functions[3];      /* 0: sigmoid, 1: tanh */
  int32_t clip;              /* of 2^-20 */
  int32_t state_shift;       /* from a state to what is multiplied: 8 for 8 bits, else 0 */
  const pb_product* product; /* of all gates; of a GRU without linear_before_reset z and r */
  const pb_product* second;  /* of such a GRU: h; else null */
  const int32_t* r_bias;     /* [padded], of 2^-20; or null */
  const int32_t* peephole;   /* [3][padded]; or null */
  int32_t peephole_shift;    /* of peephole * c: to 2^-20 */
} pb_recurrent;

typedef struct {
  const int32_t* x;       /* XW */
  const int32_t* lengths; /* or null: all steps */
  const int32_t* initial_h;
  const int32_t* initial_c;
  int32_t* y;
  int32_t* last_h;
  int32_t* last_c;
} pb_recurrent_data;

enum { PB_GATE_LIMIT = 1 << 30 };

static inline int32_t pb_padded(const pb_recurrent* r) { return (r->hidden + 15) / 16 * 16; }

static inline int32_t pb_gates(const pb_recurrent* r) {
  return r->cell == PB_LSTM ? 4 : r->cell == PB_GRU ? 3 : 1;
}

/* Scratch: h, c, z, what is multiplied, its products, and what pb_multiply needs. */
static inline int64_t pb_recurrent_scratch(const pb_recurrent* r) {
  const int64_t units = pb_padded(r);
  return 4 * units * (3 * (int64_t)r->batch + 1 + pb_gates(r)) + pb_packed_bytes(r->product);
}

static inline int32_t pb_gate(int32_t function, int64_t sum, int32_t clip) {
  const int32_t x = pb_limit(sum, -clip, clip);
  return function == 0 ? pb_sigmoid(x) : pb_tanh(x);
}

static inline int32_t pb_state(int64_t x) { return pb_limit(x, -32767, 32767); }

/* The row of gate g of `unit`, of `gates` in a part. */
static inline int32_t pb_row(int32_t gates, int32_t g, int32_t unit) {
  return (gates * (unit / 16) + g) * 16 + unit % 16;
}

static inline int64_t pb_peep(const pb_recurrent* r, int32_t which, int32_t unit, int32_t c) {
  if (r->peephole == 0) return 0;
  return pb_round_shift((int64_t)r->peephole[which * pb_padded(r) + unit] * c, r->peephole_shift);
}

static inline void pb_lstm_units(const pb_recurrent* r, int32_t begin, int32_t end,
                                 const int32_t* x, const int32_t* p, int32_t* h, int32_t* c) {
  int32_t u;
  for (u = begin; u < end; ++u) {
    const int32_t at_i = pb_row(4, 0, u), at_o = pb_row(4, 1, u), at_f = pb_row(4, 2, u),
                  at_c = pb_row(4, 3, u);
    const int32_t i =
        pb_gate(r->functions[0], (int64_t)x[at_i] + p[at_i] + pb_peep(r, 0, u, c[u]), r->clip);
    const int32_t f = r->couple_forget
                          ? 32768 - i
                          : pb_gate(r->functions[0],
                                    (int64_t)x[at_f] + p[at_f] + pb_peep(r, 2, u, c[u]), r->clip);
    const int32_t g = pb_gate(r->functions[1], (int64_t)x[at_c] + p[at_c], r->clip);
    int32_t o;
    c[u] = pb_limit(pb_round_shift((int64_t)f * c[u] + (int64_t)i * g * 32, 15), -PB_GATE_LIMIT,
                    PB_GATE_LIMIT);
    o = pb_gate(r->functions[0], (int64_t)x[at_o] + p[at_o] + pb_peep(r, 1, u, c[u]), r->clip);
    h[u] = pb_state(pb_round_shift((int64_t)o * pb_gate(r->functions[2], c[u], PB_GATE_LIMIT), 15));
  }
}

static inline void pb_gru_state(int32_t z, int32_t g, int32_t* h) {
  *h = pb_state(pb_round_shift((int64_t)(32768 - z) * g + (int64_t)z * *h, 15));
}

static inline void pb_gru_units(const pb_recurrent* r, int32_t begin, int32_t end, const int32_t* x,
                                const int32_t* p, int32_t* h) {
  int32_t u;
  for (u = begin; u < end; ++u) {
    const int32_t at_z = pb_row(3, 0, u), at_r = pb_row(3, 1, u), at_h = pb_row(3, 2, u);
    const int32_t z = pb_gate(r->functions[0], (int64_t)x[at_z] + p[at_z], r->clip);
    const int32_t reset = pb_gate(r->functions[0], (int64_t)x[at_r] + p[at_r], r->clip);
    const int64_t state = (int64_t)p[at_h] + (r->r_bias != 0 ? r->r_bias[u] : 0);
    pb_gru_state(z, pb_gate(r->functions[1], x[at_h] + pb_round_shift(reset * state, 15), r->clip),
                 h + u);
  }
}

/* A GRU in two parts: z, and what the second part multiplies, r h. */
static inline void pb_gru_gates(const pb_recurrent* r, int32_t begin, int32_t end, const int32_t* x,
                                const int32_t* p, const int32_t* h, int32_t* z, int32_t* reset_h) {
  int32_t u;
  for (u = begin; u < end; ++u) {
    const int32_t at_z = pb_row(2, 0, u), at_r = pb_row(2, 1, u);
    z[u] = pb_gate(r->functions[0], (int64_t)x[at_z] + p[at_z], r->clip);
    reset_h[u] = (int32_t)pb_round_shift(
        (int64_t)pb_gate(r->functions[0], (int64_t)x[at_r] + p[at_r], r->clip) * h[u], 15);
  }
}

/* What follows upon a product in a step. */
typedef struct {
  const int32_t* x; /* XW */
  const int32_t* p; /* the product */
  int32_t* h;
  int32_t* c; /* a GRU has no cell state: its place holds r h */
  int32_t* z;
} pb_cell;

/* Units begin (a multiple of 16) ... end - 1, after the first product or the second. */
typedef void (*pb_units_fn)(const pb_recurrent* r, int32_t second, int32_t begin, int32_t end,
                            const pb_cell* a);

static inline void pb_units(const pb_recurrent* r, int32_t second, int32_t begin, int32_t end,
                            const pb_cell* a) {
  int32_t u;
  if (second) {
    for (u = begin; u < end; ++u) {
      const int64_t sum = (int64_t)a->x[2 * pb_padded(r) + u] + a->p[u];
      pb_gru_state(a->z[u], pb_gate(r->functions[1], sum, r->clip), a->h + u);
    }
  } else if (r->cell == PB_LSTM) {
    pb_lstm_units(r, begin, end, a->x, a->p, a->h, a->c);
  } else if (r->cell == PB_RNN) {
    for (u = begin; u < end; ++u) {
      a->h[u] = pb_state(pb_gate(r->functions[0], (int64_t)a->x[u] + a->p[u], r->clip));
    }
  } else if (r->second == 0) {
    pb_gru_units(r, begin, end, a->x, a->p, a->h);
  } else {
    pb_gru_gates(r, begin, end, a->x, a->p, a->h, a->z, a->c);
  }
}

/* How a step is computed: its products, and its units. */
typedef struct {
  const pb_multiplier* multiplier;
  pb_units_fn units;
} pb_stepper;

static const pb_stepper pb_plain_steps = {&pb_by_codes, pb_units};

/* A product of a step and its units, 16 of which are what threads share. */
typedef struct {
  const pb_stepper* stepper;
  const pb_recurrent* r;
  const pb_product* p;
  const void* packed;
  int32_t* y;
  int32_t second;
  pb_cell cell;
} pb_step;

static inline void pb_step_part(const void* what, int32_t begin, int32_t end) {
  const pb_step* const a = (const pb_step*)what;
  const int32_t rows = a->p->rows / (pb_padded(a->r) / 16), last = end * 16;
  a->stepper->multiplier->rows(a->p, a->packed, 1, begin * rows, end * rows, a->y);
  a->stepper->units(a->r, a->second, begin * 16, last < a->r->hidden ? last : a->r->hidden,
                    &a->cell);
}

/* The product with h, and what follows upon it. `input`: what h becomes for it. */
static inline void pb_finish_step(pb_step* a, const int32_t* h, int32_t* input, void* packed) {
  const pb_multiplier* const m = a->stepper->multiplier;
  const int32_t most = a->r->state_shift == 0 ? 32767 : 127;
  const int32_t half = (1 << a->r->state_shift) >> 1, tiles = pb_padded(a->r) / 16;
  int32_t u;
  for (u = 0; u < a->r->hidden; ++u) {
    const int32_t code = (h[u] + half) >> a->r->state_shift;
    input[u] = code < -most ? -most : code > most ? most : code;
  }
  m->pack(a->p, input, packed);
  a->packed = packed;
  if (pb_is_shared(m, a->p, 1)) {
    m->share(m->pool, tiles, PB_BAND_TILES, pb_step_part, a);
  } else {
    pb_step_part(a, 0, tiles);
  }
}

/* One step of one vector: h and c before it become those after it. */
static inline void pb_recurrent_step(const pb_stepper* s, const pb_recurrent* r, const int32_t* x,
                                     int32_t* h, int32_t* c, int32_t* z, int32_t* input,
                                     int32_t* products, void* scratch) {
  pb_step a;
  a.stepper = s;
  a.r = r;
  a.p = r->product;
  a.y = products;
  a.second = 0;
  a.cell.x = x;
  a.cell.p = products;
  a.cell.h = h;
  a.cell.c = c;
  a.cell.z = z;
  pb_finish_step(&a, h, input, scratch);
  if (r->second == 0) return;
  a.p = r->second;
  a.second = 1;
  pb_finish_step(&a, c, input, scratch);
}

static inline void pb_recurrent_run(const pb_stepper* s, const pb_recurrent* r,
                                    const pb_recurrent_data* d, void* scratch) {
  const int32_t units = pb_padded(r);
  int32_t* const states = (int32_t*)scratch;
  int32_t* const input = states + 3 * (int64_t)r->batch * units;
  int32_t* const products = input + units;
  void* const rest = products + (int64_t)pb_gates(r) * units;
  int32_t b, t, u;
  memset(states, 0, sizeof(int32_t) * 3 * (size_t)r->batch * (size_t)units);
  for (b = 0; b < r->batch; ++b) {
    int32_t* const h = states + (int64_t)b * 3 * units;
    int32_t* const c = h + units;
    int32_t* const z = c + units;
    const int32_t length = d->lengths != 0 ? pb_limit(d->lengths[b], 0, r->steps) : r->steps;
    for (u = 0; u < r->hidden; ++u) {
      if (d->initial_h != 0) h[u] = pb_state(d->initial_h[b * r->initial_vector + u]);
      if (d->initial_c != 0)
        c[u] = pb_limit(d->initial_c[b * r->initial_vector + u], -PB_GATE_LIMIT, PB_GATE_LIMIT);
    }
    for (t = 0; t < length; ++t) {
      const int32_t time = r->reverse ? length - 1 - t : t;
      pb_recurrent_step(s, r, d->x + time * r->x_step + b * r->x_vector, h, c, z, input, products,
                        rest);
      for (u = 0; d->y != 0 && u < r->hidden; ++u) {
        d->y[time * r->y_step + b * r->y_vector + u] = h[u];
      }
    }
    for (; d->y != 0 && t < r->steps; ++t) {
      for (u = 0; u < r->hidden; ++u) d->y[t * r->y_step + b * r->y_vector + u] = 0;
    }
    for (u = 0; u < r->hidden; ++u) {
      if (d->last_h != 0) d->last_h[b * r->last_vector + u] = h[u];
      if (d->last_c != 0) d->last_c[b * r->last_vector + u] = c[u];
    }
  }
}
