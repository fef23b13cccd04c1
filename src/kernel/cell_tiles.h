// A step of each kind of cell: n units, of tile t from `lane` on. One file per ISA compiles whole
// tiles as cells_<isa>_run; a thread of a GPU takes one unit (cuda/recurrent_step.h).
#pragma once

#include "kernel/cell_math.h"

namespace pbatch {
namespace {

template <int n>
PBATCH_HD inline Units<n> load(const float* from) {
  Units<n> x;
  if constexpr (n == 1) {
    x.v[0] = *from;  // of memcpy nvcc makes single bytes
  } else {
    memcpy(x.v, from, sizeof x.v);
  }
  return x;
}
template <int n>
PBATCH_HD inline void store(float* to, const Units<n>& x) {
  if constexpr (n == 1) {
    *to = x.v[0];
  } else {
    memcpy(to, x.v, sizeof x.v);
  }
}

template <int n>
PBATCH_HD inline Units<n> add(Units<n> a, const Units<n>& b) {
  for (int i = 0; i < n; ++i) a.v[i] = a.v[i] + b.v[i];
  return a;
}
template <int n>
PBATCH_HD inline Units<n> multiply(Units<n> a, const Units<n>& b) {
  for (int i = 0; i < n; ++i) a.v[i] = a.v[i] * b.v[i];
  return a;
}
template <int n>
PBATCH_HD inline Units<n> one_minus(Units<n> a) {
  for (int i = 0; i < n; ++i) a.v[i] = 1.0f - a.v[i];
  return a;
}
template <int n>
PBATCH_HD inline Units<n> clipped(Units<n> a, float limit) {
  for (int i = 0; i < n; ++i) a.v[i] = limited(a.v[i], limit);
  return a;
}

// x + r of row block `block`.
template <int n>
PBATCH_HD inline Units<n> gate(const CellArgs& a, int64_t block, int lane) {
  const int64_t row = block * kTileUnits + lane;
  return add(load<n>(a.x + row), load<n>(a.r + row));
}

template <int n>
PBATCH_HD inline void rnn_units(const CellArgs& a, int64_t t, int lane) {
  const int64_t unit = t * kTileUnits + lane;
  store(a.h + unit, tanh_of(clipped(gate<n>(a, t, lane), a.clip)));
}

template <int n>
PBATCH_HD inline Units<n> with_peephole(const CellArgs& a, int which, int64_t unit,
                                        const Units<n>& sum, const Units<n>& c) {
  if (a.peephole == 0) return sum;
  return add(sum, multiply(load<n>(a.peephole + which * a.peephole_stride + unit), c));
}

template <int n>
PBATCH_HD inline void lstm_units(const CellArgs& a, int64_t t, int lane) {
  const int64_t unit = t * kTileUnits + lane;
  const Units<n> before = load<n>(a.c + unit);
  const Units<n> i =
      sigmoid(clipped(with_peephole(a, 0, unit, gate<n>(a, 4 * t, lane), before), a.clip));
  const Units<n> f =
      a.couple_forget != 0
          ? one_minus(i)
          : sigmoid(
                clipped(with_peephole(a, 2, unit, gate<n>(a, 4 * t + 2, lane), before), a.clip));
  const Units<n> g = tanh_of(clipped(gate<n>(a, 4 * t + 3, lane), a.clip));
  const Units<n> c = add(multiply(f, before), multiply(i, g));
  const Units<n> o =
      sigmoid(clipped(with_peephole(a, 1, unit, gate<n>(a, 4 * t + 1, lane), c), a.clip));
  store(a.c + unit, c);
  store(a.h + unit, multiply(o, tanh_of(c)));
}

// h = (1 - z) g + z h
template <int n>
PBATCH_HD inline void gru_state(const CellArgs& a, int64_t unit, const Units<n>& z,
                                const Units<n>& g) {
  const Units<n> before = load<n>(a.h + unit);
  store(a.h + unit, add(multiply(one_minus(z), g), multiply(z, before)));
}

template <int n>
PBATCH_HD inline void gru_units(const CellArgs& a, int64_t t, int lane) {
  const int64_t unit = t * kTileUnits + lane;
  const Units<n> z = sigmoid(clipped(gate<n>(a, 3 * t, lane), a.clip));
  const Units<n> r = sigmoid(clipped(gate<n>(a, 3 * t + 1, lane), a.clip));
  Units<n> state = load<n>(a.r + (3 * t + 2) * kTileUnits + lane);
  if (a.r_bias != 0) state = add(state, load<n>(a.r_bias + unit));
  const Units<n> sum = add(load<n>(a.x + (3 * t + 2) * kTileUnits + lane), multiply(r, state));
  gru_state(a, unit, z, tanh_of(clipped(sum, a.clip)));
}

template <int n>
PBATCH_HD inline void gru_gates_units(const CellArgs& a, int64_t t, int lane) {
  const int64_t unit = t * kTileUnits + lane;
  store(a.update + unit, sigmoid(clipped(gate<n>(a, 2 * t, lane), a.clip)));
  const Units<n> r = sigmoid(clipped(gate<n>(a, 2 * t + 1, lane), a.clip));
  store(a.reset_h + unit, multiply(r, load<n>(a.h + unit)));
}

template <int n>
PBATCH_HD inline void gru_state_units(const CellArgs& a, int64_t t, int lane) {
  const int64_t unit = t * kTileUnits + lane;
  gru_state(a, unit, load<n>(a.update + unit), tanh_of(clipped(gate<n>(a, t, lane), a.clip)));
}

template <int n>
PBATCH_HD inline void cell_units(CellKind kind, const CellArgs& a, int64_t t, int lane) {
  switch (kind) {
    case kCellRnn:
      return rnn_units<n>(a, t, lane);
    case kCellLstm:
      return lstm_units<n>(a, t, lane);
    case kCellGru:
      return gru_units<n>(a, t, lane);
    case kCellGruGates:
      return gru_gates_units<n>(a, t, lane);
    case kCellGruState:
      return gru_state_units<n>(a, t, lane);
  }
}

inline void run_cells(CellKind kind, const CellArgs& a, int64_t begin, int64_t end) {
  for (int64_t t = begin; t < end; ++t) cell_units<kTileUnits>(kind, a, t, 0);
}

}  // namespace
}  // namespace pbatch
