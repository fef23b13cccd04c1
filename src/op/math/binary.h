// Elementwise operators of two inputs: one loop per element type, one table per operator.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "op/elements.h"
#include "op/op.h"

namespace pbatch {

/// y[i] = f(a[i * a_step], b[i * b_step]); steps are 0 or 1. False if f has no
/// result for some pair: such an element of y is unspecified. y may be an input with a step of 1.
using BinaryLoop = bool (*)(std::int64_t count, const void* a, std::int64_t a_step, const void* b,
                            std::int64_t b_step, void* y);

/// One operator: its loop per element type, null where it takes no such type.
struct BinaryTable {
  std::array<BinaryLoop, kDTypes> loops{};
  bool makes_bool = false;     ///< else the result has the inputs' type
  const char* no_result = "";  ///< what it means when a loop returns false
};

/// Runs a loop with broadcasting; the result has type `type`. `grain`: elements
/// that are worth a thread. An error that says `no_result` if the loop is false. Inputs and result
/// lie in `layout`, or in both layouts alike.
Result<StepPlan> plan_loop(BinaryLoop loop, DType type, std::int64_t grain, std::string no_result,
                           const Tensor& a, const Tensor& b, Layout layout = Layout::plain);

/// The table's loop for the inputs' type, with broadcasting.
Result<StepPlan> plan_binary(const BinaryTable& table, const std::string& op_type, const Tensor& a,
                             const Tensor& b, Layout layout = Layout::plain);

/// The operator of a node with exactly two inputs and no attributes that matter.
Result<std::unique_ptr<Op>> make_binary(const BinaryTable& table, const Node& node);

/// F::apply(T, T) returns the result, or (F::kPartial) stores it and returns whether there is one.
template <class F, class T, class R>
bool binary_loop(std::int64_t count, const void* a, std::int64_t a_step, const void* b,
                 std::int64_t b_step, void* y) {
  const T* const pa = static_cast<const T*>(a);
  const T* const pb = static_cast<const T*>(b);
  R* const py = static_cast<R*>(y);
  if constexpr (F::kPartial) {
    bool all = true;
    for (std::int64_t i = 0; i < count; ++i) {
      all = F::apply(pa[i * a_step], pb[i * b_step], py[i]) && all;
    }
    return all;
  } else {
    // One loop per combination, so that each vectorizes.
    if (a_step != 0 && b_step != 0) {
      PBATCH_INDEPENDENT
      for (std::int64_t i = 0; i < count; ++i) py[i] = F::apply(pa[i], pb[i]);
    } else if (a_step != 0) {
      const T b0 = *pb;
      PBATCH_INDEPENDENT
      for (std::int64_t i = 0; i < count; ++i) py[i] = F::apply(pa[i], b0);
    } else if (b_step != 0) {
      const T a0 = *pa;
      PBATCH_INDEPENDENT
      for (std::int64_t i = 0; i < count; ++i) py[i] = F::apply(a0, pb[i]);
    } else {
      const R y0 = F::apply(*pa, *pb);
      for (std::int64_t i = 0; i < count; ++i) py[i] = y0;
    }
    return true;
  }
}

template <class F, class... Ts>
constexpr BinaryTable binary_table(Types<Ts...>, const char* no_result = "") {
  BinaryTable table;
  ((table.loops[dtype_index(dtype_of<Ts>())] = &binary_loop<F, Ts, Ts>), ...);
  table.no_result = no_result;
  return table;
}

/// Of an operator whose result is bool.
template <class F, class... Ts>
constexpr BinaryTable predicate_table(Types<Ts...>) {
  BinaryTable table;
  ((table.loops[dtype_index(dtype_of<Ts>())] = &binary_loop<F, Ts, Bool>), ...);
  table.makes_bool = true;
  return table;
}

}  // namespace pbatch
