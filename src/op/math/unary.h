// Elementwise operators of one input: one loop per element type, one table per operator.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "op/elements.h"
#include "op/op.h"

namespace pbatch {

/// The float attributes that an operator's loop may use.
struct UnaryParams {
  float alpha = 0, beta = 0, gamma = 0;
};

/// y may be x.
using UnaryLoop = void (*)(std::int64_t count, const void* x, void* y, const UnaryParams& params);

/// One operator: its loop per element type, null where it takes no such type.
struct UnaryTable {
  std::array<UnaryLoop, kDTypes> loops{};
  bool makes_bool = false;       ///< else the result has the input's type
  std::int64_t grain = 1 << 15;  ///< elements that are worth a thread
};

/// The operator of a node with one input.
Result<std::unique_ptr<Op>> make_unary(const UnaryTable& table, const Node& node,
                                       const UnaryParams& params = {});

/// F::apply(T x, const UnaryParams&) returns the R that belongs to x.
template <class F, class T, class R>
void unary_loop(std::int64_t count, const void* x, void* y, const UnaryParams& params) {
  const T* px = static_cast<const T*>(x);
  R* py = static_cast<R*>(y);
  const UnaryParams p = params;
  PBATCH_INDEPENDENT
  for (std::int64_t i = 0; i < count; ++i) py[i] = F::apply(px[i], p);
}

template <class F, class... Ts>
constexpr UnaryTable unary_table(Types<Ts...>) {
  UnaryTable table;
  ((table.loops[dtype_index(dtype_of<Ts>())] = &unary_loop<F, Ts, Ts>), ...);
  return table;
}

}  // namespace pbatch
