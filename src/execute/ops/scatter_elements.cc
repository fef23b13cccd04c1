// ScatterElements, and Scatter before it: elements set, or reduced into, where indices say.
#include <cstring>

#include "execute/op.h"
#include "execute/ops/elements.h"
#include "execute/ops/float_checks.h"
#include "execute/ops/node_checks.h"
#include "execute/ops/scatter_update.h"

namespace pbatch {
namespace {

class ScatterElements final : public Op {
 public:
  ScatterElements(std::int64_t axis, Reduction reduction) : axis_(axis), reduction_(reduction) {}

  Status run(RunContext& context, std::span<const Tensor* const> inputs,
             std::span<Tensor> outputs) const override {
    const Tensor& x = *inputs[0];
    const Tensor& updates = *inputs[2];
    const Shape& shape = inputs[1]->shape();
    PBATCH_RETURN_IF_ERROR(expect_same_type("ScatterElements", x.dtype(), updates.dtype()));
    PBATCH_ASSIGN_OR_RETURN(const std::size_t axis, normalize_axis(axis_, x.rank()));
    bool fits = shape.size() == x.rank() && updates.shape() == shape;
    for (std::size_t d = 0; fits && d < shape.size(); ++d) {
      fits = d == axis || shape[d] <= x.dim(d);
    }
    if (!fits) {
      return {ErrorCode::shape_mismatch,
              "indices " + shape_to_string(shape) + " and updates " +
                  shape_to_string(updates.shape()) + " do not fit an input of shape " +
                  shape_to_string(x.shape()),
              "feed the shape that the network was exported for"};
    }
    PBATCH_ASSIGN_OR_RETURN(const UpdateLoop update, update_loop(reduction_, x.dtype()));
    PBATCH_ASSIGN_OR_RETURN(const Tensor indices,
                            absolute_indices(context, *inputs[1], x.dim(axis)));
    PBATCH_ASSIGN_OR_RETURN(outputs[0], context.allocate(x.dtype(), x.shape()));
    if (x.size() != 0) std::memcpy(outputs[0].mutable_raw(), x.raw(), x.bytes());

    std::vector<std::int64_t> strides = row_major_strides(x.shape());
    const std::int64_t along_axis = strides[axis];
    strides[axis] = 0;  // there the index counts
    const std::size_t bytes = dtype_size(x.dtype());
    for (std::int64_t i = 0; i < indices.size(); ++i) {
      std::int64_t target = indices.data<std::int64_t>()[i] * along_axis;
      for (std::size_t d = shape.size(), rest = static_cast<std::size_t>(i); d-- > 0;) {
        const auto extent = static_cast<std::size_t>(shape[d]);
        target += static_cast<std::int64_t>(rest % extent) * strides[d];
        rest /= extent;
      }
      update(element_at(outputs[0].mutable_raw(), target, bytes),
             element_at(updates.raw(), i, bytes), 1);
    }
    return Status::ok();
  }

 private:
  std::int64_t axis_;
  Reduction reduction_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_scatter_elements(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 3, 3));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t axis, node.int_attr("axis", 0));
  PBATCH_ASSIGN_OR_RETURN(const Reduction reduction, read_reduction(node));
  return std::unique_ptr<Op>(new ScatterElements(axis, reduction));
}

}  // namespace pbatch
