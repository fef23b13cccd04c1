// A variable of 32 lanes, for the host: what is one register of every lane on the device.
#pragma once

#include <cstdint>

namespace pbatch::cuda {

/// Arithmetic is lane by lane and, for std::uint32_t, modulo 2^32. A plain T is one value for all.
template <class T>
struct Lanes {
  T v[32];

  Lanes() = default;
  Lanes(T all) {  // NOLINT(google-explicit-constructor): as on the device
    for (T& x : v) x = all;
  }

  template <class Fn>
  static Lanes of(const Fn& fn) {
    Lanes out;
    for (int lane = 0; lane < 32; ++lane) out.v[lane] = fn(lane);
    return out;
  }

#define PBATCH_LANEWISE(op)                                             \
  friend Lanes operator op(const Lanes& a, const Lanes& b) {            \
    return of([&](int i) { return static_cast<T>(a.v[i] op b.v[i]); }); \
  }
  PBATCH_LANEWISE(+)
  PBATCH_LANEWISE(-)
  PBATCH_LANEWISE(*)
  PBATCH_LANEWISE(/)
  PBATCH_LANEWISE(&)
  PBATCH_LANEWISE(|)
  PBATCH_LANEWISE(^)
  PBATCH_LANEWISE(<<)
  PBATCH_LANEWISE(>>)
#undef PBATCH_LANEWISE

#define PBATCH_COMPARE(op)                                           \
  friend Lanes<bool> operator op(const Lanes& a, const Lanes& b) {   \
    return Lanes<bool>::of([&](int i) { return a.v[i] op b.v[i]; }); \
  }
  PBATCH_COMPARE(==)
  PBATCH_COMPARE(!=)
  PBATCH_COMPARE(<)
  PBATCH_COMPARE(>)
#undef PBATCH_COMPARE
};

}  // namespace pbatch::cuda
