// TopK: the greatest or least elements along an axis, and where they are.
#include <algorithm>
#include <numeric>
#include <vector>

#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

class TopK final : public Op {
 public:
  // k: one number, an attribute in old opsets and an input in new ones.
  TopK(std::int64_t axis, bool largest, IntegerList k_input, std::int64_t k_attribute)
      : axis_(axis), largest_(largest), k_input_(std::move(k_input)), k_attribute_(k_attribute) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor& x = *request.inputs[0];
    PBATCH_ASSIGN_OR_RETURN(const std::size_t axis, normalize_axis(axis_, x.rank()));
    if (request.inputs.size() > 1 && !request.knows(1)) return StepPlan::not_yet();
    PBATCH_ASSIGN_OR_RETURN(const auto list, k_input_.get(request.inputs));
    if (list && list->size() != 1) {
      return Status(ErrorCode::shape_mismatch,
                    "input K holds " + std::to_string(list->size()) + " numbers, not one",
                    "export the network again");
    }
    const std::int64_t k = list ? list->front() : k_attribute_;
    if (k < 0 || k > x.dim(axis)) {
      return Status(ErrorCode::shape_mismatch,
                    std::to_string(k) + " elements are asked for along axis " +
                        std::to_string(axis) + " of " + shape_to_string(x.shape()),
                    "feed a larger input or ask for fewer");
    }
    switch (x.dtype()) {
      case DType::f32:
        return select<float>(x, axis, k);
      case DType::i64:
        return select<std::int64_t>(x, axis, k);
      case DType::i32:
        return select<std::int32_t>(x, axis, k);
      default:
        return unsupported_type("TopK", x.dtype());
    }
  }

 private:
  template <class T>
  StepPlan select(const Tensor& x, std::size_t axis, std::int64_t k) const {
    const std::int64_t count = x.dim(axis);
    const std::int64_t stride = product_of(x.shape(), axis + 1, x.rank());
    const std::int64_t vectors = x.size() == 0 || k == 0 ? 0 : x.size() / count;
    Shape shape = x.shape();
    shape[axis] = k;
    std::vector<TensorType> outputs{{x.dtype(), shape}, {DType::i64, shape}};
    StepPlan plan = StepPlan::of(
        std::move(outputs), [count, stride, vectors, k, largest = largest_](const StepCall& call) {
          auto* const order = static_cast<std::int64_t*>(call.scratch);
          for (std::int64_t v = 0; v < vectors; ++v) {
            const T* const from = call.input<T>(0) + (v / stride * count * stride + v % stride);
            std::iota(order, order + count, std::int64_t{0});
            // Of equals the lower index comes first; NaN counts as greater than every number.
            const auto before = [&](std::int64_t i, std::int64_t j) {
              const T a = from[i * stride], b = from[j * stride];
              const bool a_nan = a != a, b_nan = b != b;
              if (a_nan || b_nan) return a_nan && b_nan ? i < j : a_nan == largest;
              return a == b ? i < j : (a > b) == largest;
            };
            std::partial_sort(order, order + k, order + count, before);
            const std::int64_t at = v / stride * k * stride + v % stride;
            for (std::int64_t i = 0; i < k; ++i) {
              call.output<T>(0)[at + i * stride] = from[order[i] * stride];
              call.output<std::int64_t>(1)[at + i * stride] = order[i];
            }
          }
          return Status::ok();
        });
    if (vectors != 0) plan.scratch_bytes = static_cast<std::size_t>(count) * sizeof(std::int64_t);
    return plan;
  }

  std::int64_t axis_;
  bool largest_;
  IntegerList k_input_;
  std::int64_t k_attribute_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_top_k(const Graph& graph, const Node& node) {
  const bool from_input = node.opset >= 10;
  const std::size_t inputs = from_input ? 2 : 1;
  PBATCH_RETURN_IF_ERROR(check_arity(node, inputs, inputs, 2));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t axis, node.int_attr("axis", -1));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t largest, node.int_attr("largest", 1));
  IntegerList k_input;
  std::int64_t k_attribute = 0;
  if (from_input) {
    PBATCH_ASSIGN_OR_RETURN(k_input, IntegerList::from_input(graph, node, 1, "K"));
  } else {
    PBATCH_ASSIGN_OR_RETURN(k_attribute, node.int_attr("k", 0));
  }
  return std::unique_ptr<Op>(new TopK(axis, largest != 0, std::move(k_input), k_attribute));
}

}  // namespace pbatch
