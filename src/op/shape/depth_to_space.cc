// DepthToSpace and SpaceToDepth: blocks of pixels to and from channels.
#include "op/data_checks.h"
#include "op/node_checks.h"
#include "op/op.h"
#include "op/shape/strided_copy.h"

namespace pbatch {
namespace {

class MoveBlocks final : public Op {
 public:
  MoveBlocks(bool to_space, bool column_first, std::int64_t block)
      : to_space_(to_space), column_first_(column_first), block_(block) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor& x = *request.inputs[0];
    const std::int64_t b = block_, area = b * b;
    const bool fits = x.rank() == 4 &&
                      (to_space_ ? x.dim(1) % area == 0 : x.dim(2) % b == 0 && x.dim(3) % b == 0);
    if (!fits) {
      return Status(ErrorCode::shape_mismatch,
                    "an input of shape " + shape_to_string(x.shape()) + " has no blocks of " +
                        std::to_string(b) + " by " + std::to_string(b),
                    "feed the shape that the network was exported for");
    }
    const std::int64_t n = x.dim(0), c = x.dim(1), h = x.dim(2), w = x.dim(3);
    const std::vector<std::int64_t> s = row_major_strides(x.shape());
    Shape shape, dims;
    std::vector<std::int64_t> strides;
    if (to_space_) {  // [n, c', h, y, w, x]
      const std::int64_t depth = c / area;
      shape = {n, depth, h * b, w * b};
      dims = {n, depth, h, b, w, b};
      const std::int64_t y_step = column_first_ ? b * s[1] : b * depth * s[1];
      const std::int64_t x_step = column_first_ ? s[1] : depth * s[1];
      strides = {s[0], column_first_ ? area * s[1] : s[1], s[2], y_step, s[3], x_step};
    } else {  // [n, y, x, c, h', w']
      shape = {n, c * area, h / b, w / b};
      dims = {n, b, b, c, h / b, w / b};
      strides = {s[0], s[2], s[3], s[1], b * s[2], b * s[3]};
    }
    return plan_copy({x.dtype(), std::move(shape)}, dims, strides, 0);
  }

 private:
  bool to_space_, column_first_;
  std::int64_t block_;
};

Result<std::unique_ptr<Op>> make_between(const Node& node, bool to_space, bool column_first) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 1, 1));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t block, node.int_attr("blocksize", 0));
  if (block < 1 || block > (1 << 15)) {
    return Status(ErrorCode::malformed, "blocksize is " + std::to_string(block),
                  "export the network again");
  }
  return std::unique_ptr<Op>(new MoveBlocks(to_space, column_first, block));
}

}  // namespace

Result<std::unique_ptr<Op>> make_depth_to_space(const Graph&, const Node& node) {
  PBATCH_ASSIGN_OR_RETURN(const std::string mode, node.string_attr("mode", "DCR"));
  if (mode != "DCR" && mode != "CRD") {
    return Status(ErrorCode::unsupported, "mode = '" + mode + "' of DepthToSpace is not known",
                  "use DCR or CRD");
  }
  return make_between(node, true, mode == "CRD");
}

Result<std::unique_ptr<Op>> make_space_to_depth(const Graph&, const Node& node) {
  return make_between(node, false, false);
}

}  // namespace pbatch
