// Concat: tensors one behind the other along an axis.
#include <algorithm>
#include <cstring>

#include "op/data_checks.h"
#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

class Concat final : public Op {
 public:
  explicit Concat(std::int64_t axis) : axis_(axis) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor& first = *request.inputs[0];
    PBATCH_ASSIGN_OR_RETURN(const std::size_t axis, normalize_axis(axis_, first.rank()));
    PBATCH_ASSIGN_OR_RETURN(Shape shape, joined_shape(request.inputs, axis));
    TensorType y{first.dtype(), std::move(shape)};
    const Layout layout = common_layout(request);
    if (request.inputs.size() == 1) return StepPlan::alias(std::move(y)).in_layout(layout);
    const std::size_t at = axis_in_memory(axis, first.rank(), layout);
    const std::int64_t rows = product_of(shape_in_memory(y.shape, layout), 0, at);
    std::vector<std::int64_t> bytes;  // of a row of every input
    std::int64_t row_bytes = 0;
    for (const Tensor* t : request.inputs) {
      bytes.push_back(product_of(shape_in_memory(t->shape(), layout), at, t->rank()) *
                      static_cast<std::int64_t>(dtype_size(t->dtype())));
      row_bytes += bytes.back();
    }
    if (row_bytes == 0)
      return StepPlan::of(std::move(y), [](const StepCall&) { return Status::ok(); });
    return StepPlan::of(std::move(y),
                        [bytes = std::move(bytes), rows, row_bytes](const StepCall& call) {
                          call.pool.parallel_for(rows, items_worth_a_thread(row_bytes),
                                                 [&](std::int64_t begin, std::int64_t end) {
                                                   copy_rows(
                                                       call, bytes, begin, end,
                                                       call.output<char>(0) + begin * row_bytes);
                                                 });
                          return Status::ok();
                        })
        .in_layout(layout);
  }

  Layout wanted_layout(const PlanRequest& request, std::size_t) const override {
    return common_layout(request);
  }

 private:
  static Result<Shape> joined_shape(std::span<const Tensor* const> inputs, std::size_t axis) {
    const Tensor& first = *inputs[0];
    Shape shape = first.shape();
    shape[axis] = 0;
    for (const Tensor* t : inputs) {
      Shape other = t->shape();
      if (other.size() == shape.size()) other[axis] = shape[axis];
      if (t->dtype() != first.dtype() || other != shape) {
        return Status(ErrorCode::shape_mismatch,
                      describe_tensor(first) + " and " + describe_tensor(*t) +
                          " cannot be joined along axis " + std::to_string(axis),
                      "feed the shape that the network was exported for");
      }
      if (__builtin_add_overflow(shape[axis], t->dim(axis), &shape[axis])) {
        return Status(ErrorCode::shape_mismatch, "the joined dimension overflows",
                      "feed smaller inputs");
      }
    }
    return shape;
  }

  static void copy_rows(const StepCall& call, const std::vector<std::int64_t>& bytes,
                        std::int64_t begin, std::int64_t end, char* to) {
    for (std::int64_t row = begin; row < end; ++row) {
      for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (bytes[i] == 0) continue;
        std::memcpy(to, call.input<char>(i) + row * bytes[i], static_cast<std::size_t>(bytes[i]));
        to += bytes[i];
      }
    }
  }

  std::int64_t axis_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_concat(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(
      check_arity(node, std::max<std::size_t>(1, node.inputs.size()), kAnyCount));
  if (!node.has_attr("axis")) {
    return Status(ErrorCode::malformed, "operator Concat lacks attribute axis",
                  "export the network again");
  }
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t axis, node.int_attr("axis", 0));
  return std::unique_ptr<Op>(new Concat(axis));
}

}  // namespace pbatch
