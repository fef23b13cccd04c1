// Clip: bounds are attributes before opset 11 and inputs since. A NaN stays a NaN.
#include <array>
#include <limits>
#include <string>
#include <type_traits>

#include "kernel/element_functions.h"
#include "kernel/vector_fns.h"
#include "op/elements.h"
#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

// A null bound is none.
using ClipLoop = void (*)(std::int64_t count, const void* x, const void* low, const void* high,
                          void* y);

template <class T>
void clip(std::int64_t count, const void* x, const void* low, const void* high, void* y) {
  const T* const px = static_cast<const T*>(x);
  T* const py = static_cast<T*>(y);
  using Limits = std::numeric_limits<T>;
  const T lo = low != nullptr         ? *static_cast<const T*>(low)
               : Limits::has_infinity ? static_cast<T>(-Limits::infinity())
                                      : Limits::lowest();
  const T hi = high != nullptr        ? *static_cast<const T*>(high)
               : Limits::has_infinity ? Limits::infinity()
                                      : Limits::max();
  if constexpr (std::is_same_v<T, float>) {
    vector_fns().apply(ElementFunction::clip, count, px, lo, hi, py);
  } else {
    PBATCH_INDEPENDENT
    for (std::int64_t i = 0; i < count; ++i) py[i] = limited_to(px[i], lo, hi);
  }
}

template <class... Ts>
constexpr std::array<ClipLoop, kDTypes> clip_loops(Types<Ts...>) {
  std::array<ClipLoop, kDTypes> loops{};
  ((loops[dtype_index(dtype_of<Ts>())] = &clip<Ts>), ...);
  return loops;
}

constexpr std::array<ClipLoop, kDTypes> kClipLoops = clip_loops(NumberTypes{});

Status check_bound(const Tensor* bound, DType type, const char* name) {
  if (bound == nullptr || (bound->dtype() == type && bound->size() == 1)) return Status::ok();
  return {ErrorCode::shape_mismatch,
          std::string("input '") + name + "' of Clip is " + describe_tensor(*bound) + ", not one " +
              dtype_name(type),
          "the exporter wrote an invalid node; export the model again"};
}

class Clip final : public Op {
 public:
  Clip(Tensor low, Tensor high) : low_(std::move(low)), high_(std::move(high)) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    constexpr std::int64_t kGrain = std::int64_t{1} << 15;
    const Tensor& x = *request.inputs[0];
    const ClipLoop loop = kClipLoops[dtype_index(x.dtype())];
    if (loop == nullptr) return unsupported_type("Clip", x.dtype());
    const Tensor* low = low_.size() == 1 ? &low_ : input_or_null(request.inputs, 1);
    const Tensor* high = high_.size() == 1 ? &high_ : input_or_null(request.inputs, 2);
    PBATCH_RETURN_IF_ERROR(check_bound(low, x.dtype(), "min"));
    PBATCH_RETURN_IF_ERROR(check_bound(high, x.dtype(), "max"));
    const std::size_t size = dtype_size(x.dtype());
    return StepPlan::tiled({x.dtype(), x.shape()}, {x.size(), 1, kGrain},
                           [this, loop, size, low_is_input = low != nullptr && low != &low_,
                            high_is_input = high != nullptr && high != &high_](
                               const StepCall& call, std::int64_t begin, std::int64_t end) {
                             // An attribute that is not there has no elements.
                             const void* const lower = low_is_input ? call.in[1] : low_.raw();
                             const void* const upper = high_is_input ? call.in[2] : high_.raw();
                             loop(end - begin, element_at(call.in[0], begin, size), lower, upper,
                                  element_at(call.out[0], begin, size));
                             return Status::ok();
                           })
        .in_place_of(0)
        .in_layout(request.layout(0));
  }

  Layout wanted_layout(const PlanRequest& request, std::size_t i) const override {
    return request.layout(i);
  }

 private:
  Tensor low_, high_;  ///< empty: an input or none
};

Result<Tensor> attribute_bound(const Node& node, const char* name) {
  if (!node.has_attr(name)) return Tensor();
  PBATCH_ASSIGN_OR_RETURN(const float value, node.float_attr(name, 0.0F));
  return Tensor::from_floats({}, {&value, 1});
}

}  // namespace

Result<std::unique_ptr<Op>> make_clip(const Graph&, const Node& node) {
  if (node.opset >= 11) {
    PBATCH_RETURN_IF_ERROR(check_arity(node, 1, 3));
    return std::unique_ptr<Op>(new Clip({}, {}));
  }
  PBATCH_RETURN_IF_ERROR(check_arity(node, 1, 1));
  PBATCH_ASSIGN_OR_RETURN(Tensor low, attribute_bound(node, "min"));
  PBATCH_ASSIGN_OR_RETURN(Tensor high, attribute_bound(node, "max"));
  return std::unique_ptr<Op>(new Clip(std::move(low), std::move(high)));
}

}  // namespace pbatch
