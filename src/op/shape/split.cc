// Split: a tensor cut into parts along an axis.
#include <algorithm>

#include "op/data_checks.h"
#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"
#include "op/shape/strided_copy.h"

namespace pbatch {
namespace {

Status does_not_split(std::int64_t extent, const std::string& how) {
  return {ErrorCode::shape_mismatch,
          "a dimension of " + std::to_string(extent) + " does not split into " + how,
          "feed the shape that the network was exported for"};
}

class Split final : public Op {
 public:
  Split(std::int64_t axis, std::vector<std::int64_t> sizes, bool last_is_smaller)
      : axis_(axis), sizes_(std::move(sizes)), last_is_smaller_(last_is_smaller) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor& x = *request.inputs[0];
    PBATCH_ASSIGN_OR_RETURN(const std::size_t axis, normalize_axis(axis_, x.rank()));
    std::vector<std::int64_t> sizes = sizes_;
    if (const Tensor* given = input_or_null(request.inputs, 1); given != nullptr) {
      if (!request.knows(1)) return StepPlan{};
      PBATCH_ASSIGN_OR_RETURN(sizes, read_integers(*given, "the list of sizes"));
    } else if (sizes.empty()) {
      PBATCH_ASSIGN_OR_RETURN(sizes, even_sizes(x.dim(axis), request.outputs));
    }
    PBATCH_RETURN_IF_ERROR(check_sizes(sizes, x.dim(axis), request.outputs));

    const std::vector<std::int64_t> strides = row_major_strides(x.shape());
    std::vector<Part> parts;
    std::vector<TensorType> outputs;
    std::int64_t offset = 0;  // bytes
    for (const std::int64_t size : sizes) {
      Shape shape = x.shape();
      shape[axis] = size;
      parts.push_back({StridedCopy(shape, strides, dtype_size(x.dtype())), offset});
      outputs.push_back({x.dtype(), std::move(shape)});
      offset += size * strides[axis] * static_cast<std::int64_t>(dtype_size(x.dtype()));
    }
    return StepPlan::of(std::move(outputs), [parts = std::move(parts)](const StepCall& call) {
      for (std::size_t i = 0; i < parts.size(); ++i) {
        if (parts[i].copy.is_empty()) continue;
        parts[i].copy.run(call.input<char>(0) + parts[i].offset, call.out[i], call.pool);
      }
      return Status::ok();
    });
  }

 private:
  struct Part {
    StridedCopy copy;
    std::int64_t offset;  // bytes
  };

  Result<std::vector<std::int64_t>> even_sizes(std::int64_t extent, std::size_t parts) const {
    const auto count = static_cast<std::int64_t>(parts);
    const std::int64_t size = (extent + count - 1) / count;
    const std::int64_t last = extent - size * (count - 1);
    if (last < 0 || (last != size && !last_is_smaller_)) {
      return does_not_split(extent, std::to_string(parts) + " equal parts");
    }
    std::vector<std::int64_t> sizes(parts, size);
    sizes.back() = last;
    return sizes;
  }

  static Status check_sizes(const std::vector<std::int64_t>& sizes, std::int64_t extent,
                            std::size_t outputs) {
    if (sizes.size() != outputs) {
      return {ErrorCode::malformed,
              std::to_string(sizes.size()) + " sizes are given for " + std::to_string(outputs) +
                  " outputs",
              "export the network again"};
    }
    std::int64_t left = extent;
    for (const std::int64_t size : sizes) {
      if (size < 0 || size > left) return does_not_split(extent, shape_to_string(sizes));
      left -= size;
    }
    return left == 0 ? Status::ok() : does_not_split(extent, shape_to_string(sizes));
  }

  std::int64_t axis_;
  std::vector<std::int64_t> sizes_;  // empty: even parts, or an input
  bool last_is_smaller_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_split(const Graph&, const Node& node) {
  const std::size_t inputs = node.opset >= 13 ? 2 : 1;  // sizes: an attribute before
  PBATCH_RETURN_IF_ERROR(check_arity(node, 1, inputs, kAnyCount));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t axis, node.int_attr("axis", 0));
  std::vector<std::int64_t> sizes;
  if (node.opset < 13) {
    PBATCH_ASSIGN_OR_RETURN(sizes, node.ints_attr("split", {}));
  }
  const auto outputs = static_cast<std::int64_t>(node.outputs.size());
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t parts, node.int_attr("num_outputs", outputs));
  if (parts != outputs) {
    return Status(ErrorCode::malformed,
                  "num_outputs is " + std::to_string(parts) + ", but the node has " +
                      std::to_string(outputs) + " outputs",
                  "export the network again");
  }
  return std::unique_ptr<Op>(new Split(axis, std::move(sizes), node.opset >= 18));
}

}  // namespace pbatch
