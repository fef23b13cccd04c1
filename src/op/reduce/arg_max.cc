// ArgMax and ArgMin.
#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

// Index of the first or last greatest (least) of `count` elements, `stride` apart. A NaN
// is greater and less than every number.
template <class T>
std::int64_t find_extreme(const T* x, std::int64_t count, std::int64_t stride, bool least,
                          bool last) {
  std::int64_t best = 0;
  for (std::int64_t i = 1; i < count; ++i) {
    const T a = x[best * stride], b = x[i * stride];
    const bool a_nan = a != a, b_nan = b != b;
    const bool equal = a == b || (a_nan && b_nan);
    const bool better = a_nan ? false : b_nan || (least ? b < a : b > a);
    if (better || (last && equal)) best = i;
  }
  return best;
}

class ArgMax final : public Op {
 public:
  ArgMax(std::int64_t axis, bool keep, bool last, bool least)
      : axis_(axis), keep_(keep), last_(last), least_(least) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor& x = *request.inputs[0];
    PBATCH_ASSIGN_OR_RETURN(const std::size_t axis, normalize_axis(axis_, x.rank()));
    Shape shape = x.shape();
    if (keep_) {
      shape[axis] = 1;
    } else {
      shape.erase(shape.begin() + static_cast<std::ptrdiff_t>(axis));
    }
    if (x.dim(axis) == 0 && product_of(shape, 0, shape.size()) != 0) {
      return Status(ErrorCode::shape_mismatch,
                    "there is no element along axis " + std::to_string(axis) + " of " +
                        shape_to_string(x.shape()),
                    "feed a larger input");
    }
    switch (x.dtype()) {
      case DType::f32:
        return find<float>(x.shape(), axis, shape);
      case DType::i64:
        return find<std::int64_t>(x.shape(), axis, shape);
      case DType::i32:
        return find<std::int32_t>(x.shape(), axis, shape);
      case DType::i8:
        return find<std::int8_t>(x.shape(), axis, shape);
      case DType::u8:
        return find<std::uint8_t>(x.shape(), axis, shape);
      default:
        return unsupported_type(least_ ? "ArgMin" : "ArgMax", x.dtype());
    }
  }

 private:
  template <class T>
  StepPlan find(const Shape& x, std::size_t axis, const Shape& y) const {
    return StepPlan::of(
        {DType::i64, y},
        [count = x[axis], stride = product_of(x, axis + 1, x.size()),
         found = product_of(y, 0, y.size()), least = least_, last = last_](const StepCall& call) {
          for (std::int64_t v = 0; v < found; ++v) {
            const T* const first = call.input<T>(0) + (v / stride * count * stride + v % stride);
            call.output<std::int64_t>(0)[v] = find_extreme(first, count, stride, least, last);
          }
          return Status::ok();
        });
  }

  std::int64_t axis_;
  bool keep_, last_, least_;
};

Result<std::unique_ptr<Op>> make_arg(const Node& node, bool least) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 1, 1));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t axis, node.int_attr("axis", 0));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t keep, node.int_attr("keepdims", 1));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t last, node.int_attr("select_last_index", 0));
  return std::unique_ptr<Op>(new ArgMax(axis, keep != 0, last != 0, least));
}

}  // namespace

Result<std::unique_ptr<Op>> make_arg_max(const Graph&, const Node& node) {
  return make_arg(node, false);
}

Result<std::unique_ptr<Op>> make_arg_min(const Graph&, const Node& node) {
  return make_arg(node, true);
}

}  // namespace pbatch
