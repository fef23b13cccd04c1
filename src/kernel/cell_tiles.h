// A step of each kind of cell: one unit, unit `lane` of tile t. One file per ISA compiles loops
// over the units of a tile, which are vectors, as cells_<isa>_run; a thread of a GPU takes one unit
// (cuda/recurrent_step.h).
#pragma once

#include "kernel/cell_math.h"

#if defined(__clang__)
#define PBATCH_UNITS _Pragma("clang loop vectorize(assume_safety)")
#else
#define PBATCH_UNITS _Pragma("GCC ivdep")
#endif

// Loops are vectors only where all of a unit is in them, however often it is.
#if defined(__CUDACC__)
#define PBATCH_UNIT PBATCH_HD __forceinline__
#else
#define PBATCH_UNIT __attribute__((always_inline)) inline
#endif

namespace pbatch {
namespace {

// x + r of row block `block`.
PBATCH_UNIT float gate(const CellArgs& a, int64_t block, int lane) {
  const int64_t row = block * kTileUnits + lane;
  return a.x[row] + a.r[row];
}

// How a cell differs from a plain one. What the compiler knows of it, it leaves out: loops without
// choices are faster vectors. Limiting to infinity and adding no peephole would change nothing.
template <bool clips_, bool peephole_, bool couples_, bool r_bias_>
struct CellForm {
  static constexpr bool clips = clips_, peephole = peephole_, couples = couples_, r_bias = r_bias_;
};

template <class Form>
PBATCH_UNIT float clipped(const CellArgs& a, float sum) {
  return Form::clips ? limited(sum, a.clip) : sum;
}

template <class Form>
PBATCH_UNIT void rnn_unit(const CellArgs& a, int64_t t, int lane) {
  a.h[t * kTileUnits + lane] = tanh_lane(clipped<Form>(a, gate(a, t, lane)));
}

template <class Form>
PBATCH_UNIT float with_peephole(const CellArgs& a, int which, int64_t unit, float sum, float c) {
  if (!Form::peephole) return sum;
  return sum + a.peephole[which * a.peephole_stride + unit] * c;
}

// c, from which lstm_hidden_unit() makes h.
template <class Form>
PBATCH_UNIT void lstm_cell_unit(const CellArgs& a, int64_t t, int lane) {
  const int64_t unit = t * kTileUnits + lane;
  const float before = a.c[unit];
  const float in = with_peephole<Form>(a, 0, unit, gate(a, 4 * t, lane), before);
  const float i = sigmoid_lane(clipped<Form>(a, in));
  const float keep = with_peephole<Form>(a, 2, unit, gate(a, 4 * t + 2, lane), before);
  const float f = Form::couples ? 1.0f - i : sigmoid_lane(clipped<Form>(a, keep));
  const float g = tanh_lane(clipped<Form>(a, gate(a, 4 * t + 3, lane)));
  a.c[unit] = f * before + i * g;
}

template <class Form>
PBATCH_UNIT void lstm_hidden_unit(const CellArgs& a, int64_t t, int lane) {
  const int64_t unit = t * kTileUnits + lane;
  const float c = a.c[unit];
  const float out = with_peephole<Form>(a, 1, unit, gate(a, 4 * t + 1, lane), c);
  a.h[unit] = sigmoid_lane(clipped<Form>(a, out)) * tanh_lane(c);
}

// h = (1 - z) g + z h
PBATCH_UNIT void gru_state(const CellArgs& a, int64_t unit, float z, float g) {
  a.h[unit] = (1.0f - z) * g + z * a.h[unit];
}

// z and the sum under the candidate's tanh, kept where a GRU in two parts has its own.
template <class Form>
PBATCH_UNIT void gru_sums_unit(const CellArgs& a, int64_t t, int lane) {
  const int64_t unit = t * kTileUnits + lane;
  a.update[unit] = sigmoid_lane(clipped<Form>(a, gate(a, 3 * t, lane)));
  const float r = sigmoid_lane(clipped<Form>(a, gate(a, 3 * t + 1, lane)));
  const int64_t row = (3 * t + 2) * kTileUnits + lane;
  const float state = Form::r_bias ? a.r[row] + a.r_bias[unit] : a.r[row];
  a.reset_h[unit] = a.x[row] + r * state;
}

template <class Form>
PBATCH_UNIT void gru_unit(const CellArgs& a, int64_t t, int lane) {
  const int64_t unit = t * kTileUnits + lane;
  gru_state(a, unit, a.update[unit], tanh_lane(clipped<Form>(a, a.reset_h[unit])));
}

template <class Form>
PBATCH_UNIT void gru_gates_unit(const CellArgs& a, int64_t t, int lane) {
  const int64_t unit = t * kTileUnits + lane;
  a.update[unit] = sigmoid_lane(clipped<Form>(a, gate(a, 2 * t, lane)));
  const float r = sigmoid_lane(clipped<Form>(a, gate(a, 2 * t + 1, lane)));
  a.reset_h[unit] = r * a.h[unit];
}

template <class Form>
PBATCH_UNIT void gru_state_unit(const CellArgs& a, int64_t t, int lane) {
  const int64_t unit = t * kTileUnits + lane;
  gru_state(a, unit, a.update[unit], tanh_lane(clipped<Form>(a, gate(a, t, lane))));
}

// Where exponentials follow upon each other, a cell has two passes: loops over units that wait for
// nothing are faster than one that waits within a unit.
constexpr bool has_two_passes(CellKind kind) { return kind == kCellLstm || kind == kCellGru; }

template <class Form, CellKind kind>
PBATCH_UNIT void first_pass(const CellArgs& a, int64_t t, int lane) {
  if constexpr (kind == kCellLstm) lstm_cell_unit<Form>(a, t, lane);
  if constexpr (kind == kCellGru) gru_sums_unit<Form>(a, t, lane);
}

template <class Form, CellKind kind>
PBATCH_UNIT void last_pass(const CellArgs& a, int64_t t, int lane) {
  if constexpr (kind == kCellRnn) rnn_unit<Form>(a, t, lane);
  if constexpr (kind == kCellLstm) lstm_hidden_unit<Form>(a, t, lane);
  if constexpr (kind == kCellGru) gru_unit<Form>(a, t, lane);
  if constexpr (kind == kCellGruGates) gru_gates_unit<Form>(a, t, lane);
  if constexpr (kind == kCellGruState) gru_state_unit<Form>(a, t, lane);
}

using PlainCell = CellForm<false, false, false, false>;
using BiasedCell = CellForm<false, false, false, true>;

template <CellKind kind>
struct KindOf {
  static constexpr CellKind value = kind;
};

/// Calls each(form) with an object of the cell's form. Those of rare cells clip, perhaps to
/// infinity.
template <class Each>
PBATCH_HD inline void with_form(const CellArgs& a, const Each& each) {
  const bool clips = a.clip <= 3.4e38f;
  if (a.peephole == 0 && a.couple_forget == 0 && !clips) {
    return a.r_bias == 0 ? each(PlainCell{}) : each(BiasedCell{});
  }
  if (a.peephole == 0 && a.couple_forget == 0) {
    return a.r_bias == 0 ? each(CellForm<true, false, false, false>{})
                         : each(CellForm<true, false, false, true>{});
  }
  // Of LSTMs only.
  if (a.peephole == 0) return each(CellForm<true, false, true, false>{});
  if (a.couple_forget == 0) return each(CellForm<true, true, false, false>{});
  return each(CellForm<true, true, true, false>{});
}

template <class Form, CellKind kind>
PBATCH_HD inline void run_unit(const CellArgs& a, int64_t t, int lane) {
  first_pass<Form, kind>(a, t, lane);
  last_pass<Form, kind>(a, t, lane);
}

template <class Form, CellKind kind>
inline void run_tiles(const CellArgs& args, int64_t begin, int64_t end) {
  const CellArgs a = args;
  if constexpr (has_two_passes(kind)) {
    for (int64_t t = begin; t < end; ++t) {
      PBATCH_UNITS
      for (int lane = 0; lane < kTileUnits; ++lane) first_pass<Form, kind>(a, t, lane);
    }
  }
  for (int64_t t = begin; t < end; ++t) {
    PBATCH_UNITS
    for (int lane = 0; lane < kTileUnits; ++lane) last_pass<Form, kind>(a, t, lane);
  }
}

/// Calls each(form, kind) with objects that are constants.
template <class Each>
PBATCH_HD inline void with_kind(CellKind kind, const CellArgs& a, const Each& each) {
  with_form(a, [&](auto form) {
    switch (kind) {
      case kCellRnn:
        return each(form, KindOf<kCellRnn>{});
      case kCellLstm:
        return each(form, KindOf<kCellLstm>{});
      case kCellGru:
        return each(form, KindOf<kCellGru>{});
      case kCellGruGates:
        return each(form, KindOf<kCellGruGates>{});
      case kCellGruState:
        return each(form, KindOf<kCellGruState>{});
    }
  });
}

/// One unit, for a thread of a GPU.
PBATCH_HD inline void cell_unit(CellKind kind, const CellArgs& a, int64_t t, int lane) {
  with_kind(kind, a,
            [&](auto form, auto k) { run_unit<decltype(form), decltype(k)::value>(a, t, lane); });
}

inline void run_cells(CellKind kind, const CellArgs& a, int64_t begin, int64_t end) {
  with_kind(kind, a, [&](auto form, auto k) {
    run_tiles<decltype(form), decltype(k)::value>(a, begin, end);
  });
}

}  // namespace
}  // namespace pbatch
