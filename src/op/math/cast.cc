// Cast to the type of an attribute, CastLike to that of the second input.
#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "graph/float64_casts.h"
#include "graph/onnx_dtype.h"
#include "op/convert.h"
#include "op/convert_narrow.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

class Cast final : public Op {
 public:
  Cast(std::optional<DType> to, bool was_float64) : to_(to), was_float64_(was_float64) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor& x = *request.inputs[0];
    const DType to = to_ ? *to_ : request.inputs[1]->dtype();
    StepPlan plan = plan_convert(x, to);
    const ExactCheck check = was_float64_ ? exact_check(x.dtype(), to) : nullptr;
    if (check == nullptr) return plan;
    std::shared_ptr<const Step> convert = std::move(plan.step);
    return StepPlan::of(std::move(plan.outputs),
                        [convert, check, count = x.size()](const StepCall& call) {
                          PBATCH_RETURN_IF_ERROR(check(call.in[0], count));
                          return convert->run(call);
                        });
  }

 private:
  // An error for an element that float32 does not hold, where float64 would.
  using ExactCheck = Status (*)(const void* x, std::int64_t count);

  static Status check_floats(const void* x, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
      const float v = static_cast<const float*>(x)[i], magnitude = std::fabs(v);
      if (magnitude >= 0x1p24F && magnitude < 0x1p53F) return beyond_float32(v);
    }
    return Status::ok();
  }

  template <class T>
  static Status check_integers(const void* x, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
      const T v = static_cast<const T*>(x)[i];
      const auto rounded = static_cast<float>(v);
      if (static_cast<long double>(rounded) != static_cast<long double>(v)) {
        return beyond_float32(rounded);
      }
    }
    return Status::ok();
  }

  // Null where every element is exact: integers of fewer bits are.
  static ExactCheck exact_check(DType from, DType to) {
    if (from == DType::f32) return integer_check(to) != nullptr ? &check_floats : nullptr;
    return to == DType::f32 ? integer_check(from) : nullptr;
  }

  static ExactCheck integer_check(DType type) {
    switch (type) {
      case DType::i32:
        return &check_integers<std::int32_t>;
      case DType::i64:
        return &check_integers<std::int64_t>;
      case DType::u32:
        return &check_integers<std::uint32_t>;
      case DType::u64:
        return &check_integers<std::uint64_t>;
      default:
        return nullptr;
    }
  }

  static Status beyond_float32(float v) {
    return {ErrorCode::unsupported,
            "an integer of about " + std::to_string(static_cast<long long>(v)) +
                " goes through float64, which pbatch computes in float32: exact up to 2^24 only",
            "export the network with integers or float32 there"};
  }

  std::optional<DType> to_;  ///< none: that of the second input
  bool was_float64_;         ///< one side of the cast
};

// To a type that is held as a wider one.
class CastToNarrow final : public Op {
 public:
  CastToNarrow(const NarrowType& type, bool saturate) : type_(type), saturate_(saturate) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    return plan_convert_narrow(*request.inputs[0], type_, saturate_);
  }

 private:
  const NarrowType& type_;
  bool saturate_;
};

Result<bool> was_float64(const Node& node) {
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t mark, node.int_attr(kFloat64Cast, 0));
  return mark != 0;
}

}  // namespace

Result<std::unique_ptr<Op>> make_cast(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 1, 1));
  if (!node.has_attr("to")) {
    return Status(ErrorCode::malformed, "Cast has no attribute 'to'",
                  "the exporter wrote an invalid node; export the model again");
  }
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t code, node.int_attr("to", 0));
  const NarrowType* const narrow = narrow_type(code);
  if (narrow != nullptr && is_rounded_to(*narrow)) {
    PBATCH_ASSIGN_OR_RETURN(const std::int64_t saturate, node.int_attr("saturate", 1));
    return std::unique_ptr<Op>(new CastToNarrow(*narrow, saturate != 0));
  }
  const std::optional<DType> type = dtype_from_onnx(code);
  if (!type) {
    return Status(ErrorCode::unsupported, "Cast to " + onnx_type_name(code) + " is not supported",
                  "cast to float32 instead");
  }
  PBATCH_ASSIGN_OR_RETURN(const bool wide, was_float64(node));
  return std::unique_ptr<Op>(new Cast(type, wide));
}

Result<std::unique_ptr<Op>> make_cast_like(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 2, 2));
  PBATCH_ASSIGN_OR_RETURN(const bool wide, was_float64(node));
  return std::unique_ptr<Op>(new Cast(std::nullopt, wide));
}

}  // namespace pbatch
