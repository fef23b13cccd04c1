// Range: start, start + delta, ... up to but without limit.
#include <cmath>
#include <type_traits>

#include "op/data_checks.h"
#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

constexpr double kMostElements = 1e15;  // more than memory holds, exact in a double

Status no_range(const char* why, const char* remedy) {
  return {ErrorCode::invalid_argument, std::string("operator Range: ") + why, remedy};
}

template <class T>
Result<std::int64_t> range_length(T start, T limit, T delta) {
  if (delta == T{0}) return no_range("delta is 0", "feed another delta");
  // Of int64 the difference may need 65 bits.
  const long double span =
      (static_cast<long double>(limit) - static_cast<long double>(start)) / delta;
  if (!(std::abs(span) <= kMostElements)) {
    return no_range("the range is not finite or too long", "feed a shorter one");
  }
  return span > 0 ? static_cast<std::int64_t>(std::ceil(span)) : 0;
}

template <class T>
Result<StepPlan> plan_range(std::span<const Tensor* const> inputs) {
  const T start = *inputs[0]->data<T>(), limit = *inputs[1]->data<T>();
  const T delta = *inputs[2]->data<T>();
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t count, range_length(start, limit, delta));
  return StepPlan::of({inputs[0]->dtype(), {count}}, [start, delta, count](const StepCall& call) {
    T* const to = call.output<T>(0);
    for (std::int64_t i = 0; i < count; ++i) {
      if constexpr (std::is_integral_v<T>) {
        // The element fits in T, but the way to it may not: unsigned numbers wrap around.
        using U = std::uint64_t;
        to[i] = static_cast<T>(static_cast<U>(start) + static_cast<U>(i) * static_cast<U>(delta));
      } else {
        to[i] = start + static_cast<T>(i) * delta;
      }
    }
    return Status::ok();
  });
}

class Range final : public Op {
 public:
  Result<StepPlan> plan(const PlanRequest& request) const override {
    const DType type = request.inputs[0]->dtype();
    bool known = true;
    for (std::size_t i = 0; i < request.inputs.size(); ++i) {
      const Tensor& t = *request.inputs[i];
      if (t.size() != 1 || t.dtype() != type) {
        return Status(
            ErrorCode::shape_mismatch,
            "start, limit and delta must be one number each of one type, not " + describe_tensor(t),
            "export the network again");
      }
      known = known && request.knows(i);
    }
    if (!known) return StepPlan::not_yet();
    switch (type) {
      case DType::f32:
        return plan_range<float>(request.inputs);
      case DType::f64:
        return plan_range<double>(request.inputs);
      case DType::i16:
        return plan_range<std::int16_t>(request.inputs);
      case DType::i32:
        return plan_range<std::int32_t>(request.inputs);
      case DType::i64:
        return plan_range<std::int64_t>(request.inputs);
      default:
        return Status(ErrorCode::unsupported,
                      std::string("operator Range of ") + dtype_name(type) + " is not supported",
                      "add a Cast to float32 or int64");
    }
  }
};

}  // namespace

Result<std::unique_ptr<Op>> make_range(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 3, 3));
  return std::unique_ptr<Op>(new Range);
}

}  // namespace pbatch
