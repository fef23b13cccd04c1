// Units of recurrent layers, as many at a time as the ISA's Lanes has: pb_units to the bit. Layers
// with peepholes go by pb_units, and gates that can be negative, whose products need more bits.
// What is written beyond a layer's units nobody reads.
#pragma once

#include "kernel/integer_recurrent.h"

namespace pbatch {
namespace {

typedef Lanes::Reg Ints;

/* pb_tanh_of: of magnitudes. */
template <int shift>
inline Ints tanh_of(Ints a) {
  const Ints x = Lanes::min(a, Lanes::set((512 << shift) - 1));
  const Ints part = Lanes::bits(x, Lanes::set((1 << shift) - 1));
  const Ints two = Lanes::two_entries(pb_tanh_table, Lanes::right<shift>(x));
  const Ints low = Lanes::bits(two, Lanes::set(0xffff));
  const Ints step = Lanes::sub(Lanes::right_unsigned<16>(two), low);
  return Lanes::add(Lanes::left<15>(low), Lanes::left<15 - shift>(Lanes::low_product(step, part)));
}

inline Ints tanh_lanes(Ints x) {
  const Ints y = Lanes::add(tanh_of<14>(Lanes::magnitude(x)), Lanes::set(1 << 14));
  return Lanes::with_sign(Lanes::right<15>(y), x);
}

inline Ints sigmoid_lanes(Ints x) {
  const Ints t = Lanes::with_sign(tanh_of<15>(Lanes::magnitude(x)), x);
  return Lanes::right_unsigned<16>(Lanes::add(t, Lanes::set((1 << 30) + (1 << 15))));
}

inline Ints limited(Ints x, int32_t most) {
  return Lanes::max(Lanes::min(x, Lanes::set(most)), Lanes::set(-most));
}

inline Ints gate_lanes(int32_t function, Ints sum, int32_t clip) {
  const Ints x = limited(sum, clip);
  return function == 0 ? sigmoid_lanes(x) : tanh_lanes(x);
}

// The sum under gate g of the units from u on, which fits.
inline Ints gate_sum(const pb_cell* a, int32_t gates, int32_t g, int32_t u) {
  const int32_t row = pb_row(gates, g, u);
  return Lanes::add(Lanes::load(a->x + row), Lanes::load(a->p + row));
}

// round(a b 2^-15) of numbers of 2^-15.
inline Ints rounded_product(Ints a, Ints b) {
  return Lanes::right<15>(Lanes::add(Lanes::low_product(a, b), Lanes::set(1 << 14)));
}

inline void lstm_lanes(const pb_recurrent* r, int32_t u, const pb_cell* a) {
  const Ints i = gate_lanes(r->functions[0], gate_sum(a, 4, 0, u), r->clip);
  const Ints f = r->couple_forget ? Lanes::sub(Lanes::set(32768), i)
                                  : gate_lanes(r->functions[0], gate_sum(a, 4, 2, u), r->clip);
  const Ints g = gate_lanes(r->functions[1], gate_sum(a, 4, 3, u), r->clip);
  const Ints o = gate_lanes(r->functions[0], gate_sum(a, 4, 1, u), r->clip);
  const Ints c = limited(Lanes::rounded_sum<5>(f, Lanes::load(a->c + u), i, g), PB_GATE_LIMIT);
  Lanes::store(a->c + u, c);
  const Ints h = rounded_product(o, gate_lanes(r->functions[2], c, PB_GATE_LIMIT));
  Lanes::store(a->h + u, limited(h, 32767));
}

inline void gru_state_lanes(int32_t u, Ints z, Ints g, const pb_cell* a) {
  const Ints sum = Lanes::add(Lanes::low_product(Lanes::sub(Lanes::set(32768), z), g),
                              Lanes::low_product(z, Lanes::load(a->h + u)));
  Lanes::store(a->h + u, limited(Lanes::right<15>(Lanes::add(sum, Lanes::set(1 << 14))), 32767));
}

inline void gru_lanes(const pb_recurrent* r, int32_t u, const pb_cell* a) {
  const Ints z = gate_lanes(r->functions[0], gate_sum(a, 3, 0, u), r->clip);
  const Ints reset = gate_lanes(r->functions[0], gate_sum(a, 3, 1, u), r->clip);
  const int32_t row = pb_row(3, 2, u);
  Ints state = Lanes::load(a->p + row);
  if (r->r_bias != nullptr) state = Lanes::add(state, Lanes::load(r->r_bias + u));
  const Ints zero = Lanes::set(0);
  const Ints sum = Lanes::saturating_add(Lanes::load(a->x + row),
                                         Lanes::rounded_sum<0>(reset, state, zero, zero));
  gru_state_lanes(u, z, gate_lanes(r->functions[1], sum, r->clip), a);
}

inline void gru_gates_lanes(const pb_recurrent* r, int32_t u, const pb_cell* a) {
  Lanes::store(a->z + u, gate_lanes(r->functions[0], gate_sum(a, 2, 0, u), r->clip));
  const Ints reset = gate_lanes(r->functions[0], gate_sum(a, 2, 1, u), r->clip);
  Lanes::store(a->c + u, rounded_product(reset, Lanes::load(a->h + u)));
}

inline void gru_second_lanes(const pb_recurrent* r, int32_t u, const pb_cell* a) {
  const Ints sum = Lanes::add(Lanes::load(a->x + 2 * pb_padded(r) + u), Lanes::load(a->p + u));
  gru_state_lanes(u, Lanes::load(a->z + u), gate_lanes(r->functions[1], sum, r->clip), a);
}

inline void rnn_lanes(const pb_recurrent* r, int32_t u, const pb_cell* a) {
  const Ints sum = Lanes::add(Lanes::load(a->x + u), Lanes::load(a->p + u));
  Lanes::store(a->h + u, limited(gate_lanes(r->functions[0], sum, r->clip), 32767));
}

template <class Each>
inline void for_lanes(const pb_recurrent* r, int32_t begin, int32_t end, const pb_cell* a,
                      const Each& each) {
  for (int32_t u = begin; u < end; u += Lanes::kCount) each(r, u, a);
}

void vector_units(const pb_recurrent* r, int32_t second, int32_t begin, int32_t end,
                  const pb_cell* a) {
  const bool is_rare = r->peephole != nullptr || (r->cell != PB_RNN && r->functions[0] != 0);
  if (is_rare) return pb_units(r, second, begin, end, a);
  if (second != 0) return for_lanes(r, begin, end, a, gru_second_lanes);
  if (r->cell == PB_LSTM) return for_lanes(r, begin, end, a, lstm_lanes);
  if (r->cell == PB_RNN) return for_lanes(r, begin, end, a, rnn_lanes);
  if (r->second == nullptr) return for_lanes(r, begin, end, a, gru_lanes);
  for_lanes(r, begin, end, a, gru_gates_lanes);
}

}  // namespace
}  // namespace pbatch
