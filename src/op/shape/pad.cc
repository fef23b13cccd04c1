// Pad: more elements at both ends of every axis; fewer where a number is negative.
#include <algorithm>
#include <cstring>
#include <optional>

#include "op/data_checks.h"
#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

enum class PadMode { constant, reflect, edge, wrap };

Result<PadMode> read_mode(const Node& node) {
  PBATCH_ASSIGN_OR_RETURN(const std::string mode, node.string_attr("mode", "constant"));
  if (mode == "constant") return PadMode::constant;
  if (mode == "reflect") return PadMode::reflect;
  if (mode == "edge") return PadMode::edge;
  if (mode == "wrap") return PadMode::wrap;
  return Status(ErrorCode::unsupported, "mode '" + mode + "' of Pad is not known",
                "use constant, reflect, edge or wrap");
}

// One axis of the output.
struct PadAxis {
  std::int64_t begin = 0;  // places before the first element of the input
  std::int64_t in = 1, out = 1;
  std::int64_t stride = 1;  // of the input, in units

  // The place in the input that place `o` shows; -1 for the constant.
  std::int64_t source(std::int64_t o, PadMode mode) const {
    const std::int64_t i = o - begin;
    if (i >= 0 && i < in) return i;
    if (mode == PadMode::constant) return -1;
    if (mode == PadMode::edge || in == 1) return i < 0 ? 0 : in - 1;
    const std::int64_t period = mode == PadMode::wrap ? in : 2 * (in - 1);
    const std::int64_t within = (i % period + period) % period;
    return within < in ? within : period - within;
  }
};

// The innermost axis is copied in units: all axes behind the last padded one.
struct PadPlan {
  std::vector<PadAxis> axes;
  std::int64_t unit_elements = 1;
  Shape shape;
};

Result<PadPlan> make_plan(const Shape& shape, const std::vector<std::int64_t>& pads, PadMode mode) {
  PadPlan plan;
  const std::size_t rank = shape.size();
  std::size_t padded = 1;  // axes up to the last padded one; at least one row
  for (std::size_t d = 0; d < rank; ++d) {
    PadAxis axis;
    axis.in = shape[d];
    axis.begin = pads[d];
    constexpr std::int64_t kLimit = std::int64_t{1} << 60;  // sums of three do not overflow
    const bool sane =
        std::max(pads[d], pads[d + rank]) <= kLimit && std::min(pads[d], pads[d + rank]) >= -kLimit;
    axis.out = sane ? shape[d] + pads[d] + pads[d + rank] : -1;
    if (axis.out < 0) {
      return Status(ErrorCode::invalid_argument,
                    "a dimension of " + std::to_string(shape[d]) + " cannot be padded by " +
                        std::to_string(pads[d]) + " and " + std::to_string(pads[d + rank]),
                    "feed pads that leave at least 0 elements");
    }
    if (axis.in == 0 && axis.out > 0 && mode != PadMode::constant) {
      return Status(ErrorCode::shape_mismatch, "an empty dimension has nothing to pad with",
                    "use mode 'constant'");
    }
    if (pads[d] != 0 || pads[d + rank] != 0) padded = d + 1;
    plan.axes.push_back(axis);
    plan.shape.push_back(axis.out);
  }
  if (rank == 0) plan.axes.push_back({});
  plan.unit_elements = product_of(shape, std::min(padded, rank), rank);
  plan.axes.resize(padded);
  for (std::size_t d = padded; d-- > 1;) {
    plan.axes[d - 1].stride = plan.axes[d].stride * plan.axes[d].in;
  }
  return plan;
}

class RowWriter {
 public:
  RowWriter(const PadPlan& plan, PadMode mode, const void* x, std::size_t element,
            const void* constant)
      : plan_(plan),
        mode_(mode),
        element_(element),
        unit_(plan.unit_elements * static_cast<std::int64_t>(element)),
        from_(static_cast<const char*>(x)),
        constant_(constant) {}

  std::int64_t row_bytes() const { return plan_.axes.back().out * unit_; }

  void write(std::int64_t row, char* to) const {
    const PadAxis& last = plan_.axes.back();
    std::int64_t base = 0;
    for (std::size_t d = plan_.axes.size() - 1; d-- > 0;) {
      const PadAxis& axis = plan_.axes[d];
      const std::int64_t source = axis.source(row % axis.out, mode_);
      if (source < 0) return fill(to, last.out);
      base += source * axis.stride;
      row /= axis.out;
    }
    const char* const from = from_ + base * unit_;
    const std::int64_t first = std::clamp<std::int64_t>(last.begin, 0, last.out);
    const std::int64_t behind = std::clamp<std::int64_t>(last.begin + last.in, first, last.out);
    write_border(from, 0, first, to);
    if (behind > first) {
      std::memcpy(to + first * unit_, from + (first - last.begin) * unit_,
                  static_cast<std::size_t>((behind - first) * unit_));
    }
    write_border(from, behind, last.out, to);
  }

 private:
  void fill(char* to, std::int64_t units) const {
    fill_elements(to, units * plan_.unit_elements, constant_, element_);
  }

  void write_border(const char* from, std::int64_t begin, std::int64_t end, char* to) const {
    if (mode_ == PadMode::constant) return fill(to + begin * unit_, end - begin);
    for (std::int64_t o = begin; o < end; ++o) {
      std::memcpy(to + o * unit_, from + plan_.axes.back().source(o, mode_) * unit_,
                  static_cast<std::size_t>(unit_));
    }
  }

  const PadPlan& plan_;
  PadMode mode_;
  std::size_t element_;
  std::int64_t unit_;  // bytes
  const char* from_;
  const void* constant_;
};

class Pad final : public Op {
 public:
  Pad(PadMode mode, std::vector<std::int64_t> pads, float value)
      : mode_(mode), pads_(std::move(pads)), value_(value) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    for (const std::size_t i : {1, 3}) {
      const Tensor* given = input_or_null(request.inputs, i);
      if (given != nullptr && !request.knows(i)) return StepPlan{};
    }
    const Tensor& x = *request.inputs[0];
    PBATCH_ASSIGN_OR_RETURN(const std::vector<std::int64_t> pads, all_pads(request.inputs));
    const Tensor* given = input_or_null(request.inputs, 2);
    if (given != nullptr && (given->dtype() != x.dtype() || given->size() != 1)) {
      return Status(ErrorCode::shape_mismatch,
                    "the constant is " + describe_tensor(*given) + ", but must be one " +
                        dtype_name(x.dtype()),
                    "export the network again");
    }
    if (given == nullptr && value_ != 0.0F) {
      PBATCH_RETURN_IF_ERROR(expect_float(&x, "an input padded by a number"));
    }
    PBATCH_ASSIGN_OR_RETURN(PadPlan pad, make_plan(x.shape(), pads, mode_));
    TensorType y{x.dtype(), pad.shape};
    PBATCH_ASSIGN_OR_RETURN(const std::int64_t count,
                            checked_element_count(y.shape, dtype_size(y.dtype)));
    return StepPlan::of(
        std::move(y), [this, pad = std::move(pad), count, has_value = given != nullptr,
                       element = dtype_size(x.dtype())](const StepCall& call) {
          if (count == 0) return Status::ok();
          const std::int64_t zero = 0;
          const void* constant = value_ != 0.0F ? static_cast<const void*>(&value_) : &zero;
          if (has_value) constant = call.in[2];
          const RowWriter writer(pad, mode_, call.in[0], element, constant);
          const std::int64_t row_bytes = writer.row_bytes();
          char* const to = call.output<char>(0);
          const std::int64_t rows = count * static_cast<std::int64_t>(element) / row_bytes;
          call.pool.parallel_for(rows, items_worth_a_thread(row_bytes),
                                 [&](std::int64_t begin, std::int64_t end) {
                                   for (std::int64_t row = begin; row < end; ++row) {
                                     writer.write(row, to + row * row_bytes);
                                   }
                                 });
          return Status::ok();
        });
  }

 private:
  // All begins, then all ends, one for each axis of the input.
  Result<std::vector<std::int64_t>> all_pads(std::span<const Tensor* const> inputs) const {
    const std::size_t rank = inputs[0]->rank();
    std::vector<std::int64_t> given = pads_;
    if (inputs.size() > 1) {
      PBATCH_ASSIGN_OR_RETURN(given, read_integers(*inputs[1], "the list of pads"));
    }
    std::vector<std::int64_t> axes(rank);
    for (std::size_t d = 0; d < rank; ++d) axes[d] = static_cast<std::int64_t>(d);
    if (const Tensor* list = input_or_null(inputs, 3); list != nullptr) {
      PBATCH_ASSIGN_OR_RETURN(axes, read_integers(*list, "the list of axes"));
      PBATCH_RETURN_IF_ERROR(mark_axes(axes, rank).status());
    }
    if (given.size() != 2 * axes.size()) {
      return Status(ErrorCode::shape_mismatch,
                    std::to_string(given.size()) + " pads are given for " +
                        std::to_string(axes.size()) + " axes",
                    "feed the rank that the network was exported for");
    }
    std::vector<std::int64_t> pads(2 * rank, 0);
    for (std::size_t i = 0; i < axes.size(); ++i) {
      PBATCH_ASSIGN_OR_RETURN(const std::size_t axis, normalize_axis(axes[i], rank));
      pads[axis] = given[i];
      pads[axis + rank] = given[i + axes.size()];
    }
    return pads;
  }

  PadMode mode_;
  std::vector<std::int64_t> pads_;  // of the attributes, before opset 11
  float value_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_pad(const Graph&, const Node& node) {
  PBATCH_ASSIGN_OR_RETURN(const PadMode mode, read_mode(node));
  if (node.opset >= 11) {
    PBATCH_RETURN_IF_ERROR(check_arity(node, 2, 4));
    return std::unique_ptr<Op>(new Pad(mode, {}, 0.0F));
  }
  PBATCH_RETURN_IF_ERROR(check_arity(node, 1, 1));
  PBATCH_ASSIGN_OR_RETURN(std::vector<std::int64_t> pads, node.ints_attr("pads", {}));
  PBATCH_ASSIGN_OR_RETURN(const float value, node.float_attr("value", 0.0F));
  return std::unique_ptr<Op>(new Pad(mode, std::move(pads), value));
}

}  // namespace pbatch
