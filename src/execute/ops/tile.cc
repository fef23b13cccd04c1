// Tile: the input repeated along every axis.
#include "execute/op.h"
#include "execute/ops/data_checks.h"
#include "execute/ops/node_checks.h"
#include "execute/ops/strided_copy.h"

namespace pbatch {
namespace {

class Tile final : public Op {
 public:
  Status run(RunContext& context, std::span<const Tensor* const> inputs,
             std::span<Tensor> outputs) const override {
    const Tensor& x = *inputs[0];
    PBATCH_ASSIGN_OR_RETURN(const std::vector<std::int64_t> repeats,
                            read_integers(*inputs[1], "the list of repeats"));
    if (repeats.size() != x.rank()) {
      return {ErrorCode::shape_mismatch,
              std::to_string(repeats.size()) + " repeats are given for an input of shape " +
                  shape_to_string(x.shape()),
              "feed the rank that the network was exported for"};
    }
    // Every axis becomes two: the repeats, which stay where they are, and the axis itself.
    const std::vector<std::int64_t> strides = row_major_strides(x.shape());
    StridedView view{x.raw(), {}, {}};
    Shape shape(x.rank());
    for (std::size_t d = 0; d < x.rank(); ++d) {
      if (repeats[d] < 0 || __builtin_mul_overflow(repeats[d], x.dim(d), &shape[d])) {
        return {ErrorCode::invalid_argument,
                "a dimension of " + std::to_string(x.dim(d)) + " cannot repeat " +
                    std::to_string(repeats[d]) + " times",
                "feed a smaller number, at least 0"};
      }
      view.shape.insert(view.shape.end(), {repeats[d], x.dim(d)});
      view.strides.insert(view.strides.end(), {0, strides[d]});
    }
    if (shape == x.shape()) {
      outputs[0] = x;
      return Status::ok();
    }
    PBATCH_ASSIGN_OR_RETURN(outputs[0], context.allocate(x.dtype(), std::move(shape)));
    copy_strided(std::move(view), outputs[0], context.pool);
    return Status::ok();
  }
};

}  // namespace

Result<std::unique_ptr<Op>> make_tile(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 2, 2));
  return std::unique_ptr<Op>(new Tile);
}

}  // namespace pbatch
