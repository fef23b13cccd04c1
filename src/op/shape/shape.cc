// Shape: the dimensions of the input, from start to end, as int64.
#include <algorithm>
#include <limits>

#include "op/data_checks.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

class ShapeOp final : public Op {
 public:
  ShapeOp(std::int64_t start, std::int64_t end) : start_(start), end_(end) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Shape& dims = request.inputs[0]->shape();
    const auto rank = static_cast<std::int64_t>(dims.size());
    const std::int64_t begin = clamp_to(rank, start_);
    const std::int64_t end = std::max(begin, clamp_to(rank, end_));
    PBATCH_ASSIGN_OR_RETURN(Tensor y, Tensor::create(DType::i64, {end - begin}));
    std::copy(dims.begin() + begin, dims.begin() + end, y.mutable_data<std::int64_t>());
    return StepPlan::constant(std::move(y));
  }

  Layout wanted_layout(const PlanRequest& request, std::size_t i) const override {
    return request.layout(i);  // no element is read
  }

 private:
  static std::int64_t clamp_to(std::int64_t rank, std::int64_t axis) {
    return std::clamp<std::int64_t>(axis < 0 ? axis + rank : axis, 0, rank);
  }

  std::int64_t start_, end_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_shape(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 1, 1));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t start, node.int_attr("start", 0));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t end,
                          node.int_attr("end", std::numeric_limits<std::int64_t>::max()));
  return std::unique_ptr<Op>(new ShapeOp(start, end));
}

}  // namespace pbatch
