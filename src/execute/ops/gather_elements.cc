// GatherElements: every element of the output names the place on one axis that it comes from.
#include <cstring>

#include "execute/op.h"
#include "execute/ops/data_checks.h"
#include "execute/ops/float_checks.h"
#include "execute/ops/node_checks.h"

namespace pbatch {
namespace {

class GatherElements final : public Op {
 public:
  explicit GatherElements(std::int64_t axis) : axis_(axis) {}

  Status run(RunContext& context, std::span<const Tensor* const> inputs,
             std::span<Tensor> outputs) const override {
    const Tensor& x = *inputs[0];
    const Shape& shape = inputs[1]->shape();
    PBATCH_ASSIGN_OR_RETURN(const std::size_t axis, normalize_axis(axis_, x.rank()));
    bool fits = shape.size() == x.rank();
    for (std::size_t d = 0; fits && d < shape.size(); ++d) {
      fits = d == axis || shape[d] <= x.dim(d);
    }
    if (!fits) {
      return {ErrorCode::shape_mismatch,
              "indices of shape " + shape_to_string(shape) + " do not fit an input of shape " +
                  shape_to_string(x.shape()),
              "feed the shape that the network was exported for"};
    }
    PBATCH_ASSIGN_OR_RETURN(const Tensor indices,
                            absolute_indices(context, *inputs[1], x.dim(axis)));
    PBATCH_ASSIGN_OR_RETURN(outputs[0], context.allocate(x.dtype(), shape));

    std::vector<std::int64_t> strides = row_major_strides(x.shape());
    const std::int64_t along_axis = strides[axis];
    strides[axis] = 0;  // there the index counts
    const std::size_t bytes = dtype_size(x.dtype());
    const auto* const index = indices.data<std::int64_t>();
    const auto* const from = static_cast<const char*>(x.raw());
    auto* const to = static_cast<char*>(outputs[0].mutable_raw());
    for (std::int64_t i = 0; i < indices.size(); ++i) {
      std::int64_t source = index[i] * along_axis;
      for (std::size_t d = shape.size(), rest = static_cast<std::size_t>(i); d-- > 0;) {
        const auto extent = static_cast<std::size_t>(shape[d]);
        source += static_cast<std::int64_t>(rest % extent) * strides[d];
        rest /= extent;
      }
      std::memcpy(to + static_cast<std::size_t>(i) * bytes,
                  from + static_cast<std::size_t>(source) * bytes, bytes);
    }
    return Status::ok();
  }

 private:
  std::int64_t axis_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_gather_elements(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 2, 2));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t axis, node.int_attr("axis", 0));
  return std::unique_ptr<Op>(new GatherElements(axis));
}

}  // namespace pbatch
