// Compress: the slices along an axis, or the elements, for which a condition holds.
#include <cstring>
#include <optional>

#include "op/data_checks.h"
#include "op/elements.h"
#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

class Compress final : public Op {
 public:
  explicit Compress(std::optional<std::int64_t> axis) : axis_(axis) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor& condition = *request.inputs[1];
    if (condition.dtype() != DType::boolean || condition.rank() != 1) {
      return Status(ErrorCode::shape_mismatch,
                    "the condition is " + describe_tensor(condition) + ", but must be bool [N]",
                    "export the network again");
    }
    std::size_t axis = 0;
    if (axis_) {
      PBATCH_ASSIGN_OR_RETURN(axis, normalize_axis(*axis_, request.inputs[0]->rank()));
    }
    return StepPlan::allocating([axis, flat = !axis_](RunContext& context,
                                                      std::span<const Tensor* const> inputs,
                                                      std::span<Tensor> outputs) -> Status {
      const Tensor& given = *inputs[0];
      const Tensor x = flat ? given.reshaped({given.size()}) : given;
      PBATCH_ASSIGN_OR_RETURN(const auto kept, true_places(*inputs[1], x.dim(axis)));
      Shape shape = x.shape();
      shape[axis] = static_cast<std::int64_t>(kept.size());
      PBATCH_ASSIGN_OR_RETURN(outputs[0], context.allocate(x.dtype(), shape));
      const std::int64_t bytes = product_of(shape, axis + 1, shape.size()) *
                                 static_cast<std::int64_t>(dtype_size(x.dtype()));
      if (outputs[0].size() == 0) return Status::ok();
      char* to = outputs[0].mutable_data<char>();
      for (std::int64_t outer = 0; outer < product_of(shape, 0, axis); ++outer) {
        for (const std::int64_t place : kept) {
          std::memcpy(to, x.data<char>() + (outer * x.dim(axis) + place) * bytes,
                      static_cast<std::size_t>(bytes));
          to += bytes;
        }
      }
      return Status::ok();
    });
  }

 private:
  // A condition may be shorter than the axis: the rest is left out.
  static Result<std::vector<std::int64_t>> true_places(const Tensor& condition,
                                                       std::int64_t extent) {
    std::vector<std::int64_t> places;
    for (std::int64_t i = 0; i < condition.size(); ++i) {
      if (!static_cast<bool>(condition.data<Bool>()[i])) continue;
      if (i >= extent) return index_out_of_range(i, extent);
      places.push_back(i);
    }
    return places;
  }

  std::optional<std::int64_t> axis_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_compress(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 2, 2));
  if (!node.has_attr("axis")) return std::unique_ptr<Op>(new Compress(std::nullopt));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t axis, node.int_attr("axis", 0));
  return std::unique_ptr<Op>(new Compress(axis));
}

}  // namespace pbatch
