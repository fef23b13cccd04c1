// A step of each kind of cell, tile by tile; one file per ISA compiles it as cells_<isa>_run.
#pragma once

#include "kernel/cell_math.h"

namespace pbatch {
namespace {

inline Lanes load(const float* from) {
  Lanes x;
  memcpy(x.v, from, sizeof x.v);
  return x;
}
inline void store(float* to, const Lanes& x) { memcpy(to, x.v, sizeof x.v); }

inline Lanes add(Lanes a, const Lanes& b) {
  for (int i = 0; i < kTileUnits; ++i) a.v[i] = a.v[i] + b.v[i];
  return a;
}
inline Lanes multiply(Lanes a, const Lanes& b) {
  for (int i = 0; i < kTileUnits; ++i) a.v[i] = a.v[i] * b.v[i];
  return a;
}
inline Lanes one_minus(Lanes a) {
  for (int i = 0; i < kTileUnits; ++i) a.v[i] = 1.0f - a.v[i];
  return a;
}
inline Lanes clipped(Lanes a, float limit) {
  for (int i = 0; i < kTileUnits; ++i) a.v[i] = limited(a.v[i], limit);
  return a;
}

// x + r of row block `block`.
inline Lanes gate(const CellArgs& a, int64_t block) {
  return add(load(a.x + block * kTileUnits), load(a.r + block * kTileUnits));
}

inline void rnn_tile(const CellArgs& a, int64_t t) {
  store(a.h + t * kTileUnits, tanh_of(clipped(gate(a, t), a.clip)));
}

inline Lanes with_peephole(const CellArgs& a, int which, int64_t t, const Lanes& sum,
                           const Lanes& c) {
  if (a.peephole == 0) return sum;
  return add(sum, multiply(load(a.peephole + which * a.peephole_stride + t * kTileUnits), c));
}

inline void lstm_tile(const CellArgs& a, int64_t t) {
  const Lanes before = load(a.c + t * kTileUnits);
  const Lanes i = sigmoid(clipped(with_peephole(a, 0, t, gate(a, 4 * t), before), a.clip));
  const Lanes f =
      a.couple_forget != 0
          ? one_minus(i)
          : sigmoid(clipped(with_peephole(a, 2, t, gate(a, 4 * t + 2), before), a.clip));
  const Lanes g = tanh_of(clipped(gate(a, 4 * t + 3), a.clip));
  const Lanes c = add(multiply(f, before), multiply(i, g));
  const Lanes o = sigmoid(clipped(with_peephole(a, 1, t, gate(a, 4 * t + 1), c), a.clip));
  store(a.c + t * kTileUnits, c);
  store(a.h + t * kTileUnits, multiply(o, tanh_of(c)));
}

// h = (1 - z) g + z h
inline void gru_state(const CellArgs& a, int64_t t, const Lanes& z, const Lanes& g) {
  const Lanes before = load(a.h + t * kTileUnits);
  store(a.h + t * kTileUnits, add(multiply(one_minus(z), g), multiply(z, before)));
}

inline void gru_tile(const CellArgs& a, int64_t t) {
  const Lanes z = sigmoid(clipped(gate(a, 3 * t), a.clip));
  const Lanes r = sigmoid(clipped(gate(a, 3 * t + 1), a.clip));
  Lanes state = load(a.r + (3 * t + 2) * kTileUnits);
  if (a.r_bias != 0) state = add(state, load(a.r_bias + t * kTileUnits));
  const Lanes sum = add(load(a.x + (3 * t + 2) * kTileUnits), multiply(r, state));
  gru_state(a, t, z, tanh_of(clipped(sum, a.clip)));
}

inline void gru_gates_tile(const CellArgs& a, int64_t t) {
  store(a.update + t * kTileUnits, sigmoid(clipped(gate(a, 2 * t), a.clip)));
  const Lanes r = sigmoid(clipped(gate(a, 2 * t + 1), a.clip));
  store(a.reset_h + t * kTileUnits, multiply(r, load(a.h + t * kTileUnits)));
}

inline void gru_state_tile(const CellArgs& a, int64_t t) {
  gru_state(a, t, load(a.update + t * kTileUnits), tanh_of(clipped(gate(a, t), a.clip)));
}

inline void run_cells(CellKind kind, const CellArgs& a, int64_t begin, int64_t end) {
  for (int64_t t = begin; t < end; ++t) {
    switch (kind) {
      case kCellRnn:
        rnn_tile(a, t);
        break;
      case kCellLstm:
        lstm_tile(a, t);
        break;
      case kCellGru:
        gru_tile(a, t);
        break;
      case kCellGruGates:
        gru_gates_tile(a, t);
        break;
      case kCellGruState:
        gru_state_tile(a, t);
        break;
    }
  }
}

}  // namespace
}  // namespace pbatch
