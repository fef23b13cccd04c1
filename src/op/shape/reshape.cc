// Reshape: the same elements under a shape that a tensor gives. Nothing is copied.
#include "op/data_checks.h"
#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

Status does_not_fit(const Tensor& x, const Shape& wanted) {
  return {ErrorCode::shape_mismatch,
          "an input of shape " + shape_to_string(x.shape()) + " does not reshape to " +
              shape_to_string(wanted),
          "feed the shape that the network was exported for"};
}

// In `wanted`, -1 stands for what is left and, unless `allow_zero`, 0 for the dimension of the
// input at that place.
Result<Shape> resolve_shape(const Tensor& x, const Shape& wanted, bool allow_zero) {
  Shape shape = wanted;
  std::size_t free = shape.size();
  std::int64_t zeros_copied = 1;
  for (std::size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] == 0 && !allow_zero) {
      if (d >= x.rank()) return does_not_fit(x, wanted);
      shape[d] = x.dim(d);
      if (shape[d] == 0) zeros_copied = 0;
    } else if (shape[d] == -1) {
      if (free != shape.size()) return does_not_fit(x, wanted);
      free = d;
    } else if (shape[d] < 0) {
      return does_not_fit(x, wanted);
    }
  }
  if (free != shape.size()) {
    // An empty batch that is copied says nothing about what is left: compare without it.
    Shape have = x.shape();
    Shape known = shape;
    known[free] = 1;
    if (zeros_copied == 0) {
      for (std::size_t d = 0; d < known.size() && d < have.size(); ++d) {
        if (wanted[d] == 0 && have[d] == 0) have[d] = known[d] = 1;
      }
    }
    PBATCH_ASSIGN_OR_RETURN(const std::int64_t rest, checked_element_count(known, 1));
    const std::int64_t all = product_of(have, 0, have.size());
    if (rest == 0 || all % rest != 0) return does_not_fit(x, wanted);
    shape[free] = all / rest;
  }
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t count, checked_element_count(shape, 1));
  if (count != x.size()) return does_not_fit(x, wanted);
  return shape;
}

class Reshape final : public Op {
 public:
  explicit Reshape(bool allow_zero) : allow_zero_(allow_zero) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    if (!request.knows(1)) return StepPlan{};
    const Tensor& x = *request.inputs[0];
    PBATCH_ASSIGN_OR_RETURN(const Shape wanted, read_integers(*request.inputs[1], "the shape"));
    PBATCH_ASSIGN_OR_RETURN(Shape shape, resolve_shape(x, wanted, allow_zero_));
    return StepPlan::alias({x.dtype(), std::move(shape)});
  }

 private:
  bool allow_zero_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_reshape(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 2, 2));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t allow_zero, node.int_attr("allowzero", 0));
  return std::unique_ptr<Op>(new Reshape(allow_zero != 0));
}

}  // namespace pbatch
