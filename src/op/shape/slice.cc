// Slice: every step-th element from start to end, along some axes.
#include <algorithm>

#include "op/data_checks.h"
#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"
#include "op/shape/strided_copy.h"

namespace pbatch {
namespace {

// Empty axes: the first ones; empty steps: all 1.
struct Ranges {
  std::vector<std::int64_t> starts, ends, axes, steps;
};

Result<Ranges> read_ranges(std::span<const Tensor* const> inputs) {
  Ranges r;
  PBATCH_ASSIGN_OR_RETURN(r.starts, read_integers(*inputs[1], "the list of starts"));
  PBATCH_ASSIGN_OR_RETURN(r.ends, read_integers(*inputs[2], "the list of ends"));
  if (const Tensor* axes = input_or_null(inputs, 3); axes != nullptr) {
    PBATCH_ASSIGN_OR_RETURN(r.axes, read_integers(*axes, "the list of axes"));
  }
  if (const Tensor* steps = input_or_null(inputs, 4); steps != nullptr) {
    PBATCH_ASSIGN_OR_RETURN(r.steps, read_integers(*steps, "the list of steps"));
  }
  return r;
}

Status complete_ranges(Ranges& r, std::size_t rank) {
  const std::size_t count = r.starts.size();
  if (r.axes.empty()) {
    for (std::size_t i = 0; i < count; ++i) r.axes.push_back(static_cast<std::int64_t>(i));
  }
  if (r.steps.empty()) r.steps.assign(count, 1);
  if (r.ends.size() != count || r.axes.size() != count || r.steps.size() != count) {
    return {ErrorCode::malformed, "starts, ends, axes and steps are not equally many",
            "export the network again"};
  }
  PBATCH_RETURN_IF_ERROR(mark_axes(r.axes, rank).status());
  if (std::find(r.steps.begin(), r.steps.end(), 0) != r.steps.end()) {
    return {ErrorCode::malformed, "a step is 0", "use a step of at least 1, or at most -1"};
  }
  return Status::ok();
}

struct SliceRange {
  std::int64_t first = 0, count = 0, step = 1;
};

// Out-of-range starts and ends mean the border. Never overflows.
SliceRange clamp_range(std::int64_t start, std::int64_t end, std::int64_t step,
                       std::int64_t extent) {
  if (start < 0) start += extent;
  if (end < 0) end += extent;
  step = std::clamp(step, -extent - 1, extent + 1);  // wider ones take one element, too
  SliceRange r{0, 0, step};
  if (step > 0) {
    r.first = std::clamp<std::int64_t>(start, 0, extent);
    end = std::clamp<std::int64_t>(end, 0, extent);
    r.count = end > r.first ? (end - r.first - 1) / step + 1 : 0;
  } else {
    r.first = std::clamp<std::int64_t>(start, -1, extent - 1);
    end = std::clamp<std::int64_t>(end, -1, extent - 1);
    r.count = r.first > end ? (r.first - end - 1) / -step + 1 : 0;
  }
  return r;
}

class Slice final : public Op {
 public:
  explicit Slice(Ranges fixed) : fixed_(std::move(fixed)) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor& x = *request.inputs[0];
    Ranges ranges = fixed_;
    if (request.inputs.size() > 1) {
      for (std::size_t i = 1; i < request.inputs.size(); ++i) {
        if (request.inputs[i] != nullptr && !request.knows(i)) return StepPlan{};
      }
      PBATCH_ASSIGN_OR_RETURN(ranges, read_ranges(request.inputs));
    }
    PBATCH_RETURN_IF_ERROR(complete_ranges(ranges, x.rank()));

    TensorType y{x.dtype(), x.shape()};
    std::vector<std::int64_t> strides = row_major_strides(x.shape());
    std::int64_t offset = 0;
    bool everything = true;
    for (std::size_t i = 0; i < ranges.starts.size(); ++i) {
      PBATCH_ASSIGN_OR_RETURN(const std::size_t axis, normalize_axis(ranges.axes[i], x.rank()));
      const SliceRange r =
          clamp_range(ranges.starts[i], ranges.ends[i], ranges.steps[i], x.dim(axis));
      everything = everything && r.count == x.dim(axis) && (r.step > 0 || r.count <= 1);
      offset += r.first * strides[axis];
      y.shape[axis] = r.count;
      strides[axis] *= r.step;
    }
    if (everything) return StepPlan::alias(std::move(y));
    return plan_copy(std::move(y), strides, offset);
  }

 private:
  Ranges fixed_;  // of the attributes, before opset 10
};

}  // namespace

Result<std::unique_ptr<Op>> make_slice(const Graph&, const Node& node) {
  Ranges fixed;
  if (node.opset >= 10) {
    PBATCH_RETURN_IF_ERROR(check_arity(node, 3, 5));
  } else {
    PBATCH_RETURN_IF_ERROR(check_arity(node, 1, 1));
    PBATCH_ASSIGN_OR_RETURN(fixed.starts, node.ints_attr("starts", {}));
    PBATCH_ASSIGN_OR_RETURN(fixed.ends, node.ints_attr("ends", {}));
    PBATCH_ASSIGN_OR_RETURN(fixed.axes, node.ints_attr("axes", {}));
  }
  return std::unique_ptr<Op>(new Slice(std::move(fixed)));
}

}  // namespace pbatch
