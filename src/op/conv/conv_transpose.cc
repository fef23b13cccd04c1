// ConvTranspose: every input element adds the kernel, times itself, to the output.
#include <algorithm>
#include <string>

#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"
#include "product/conv_geometry.h"
#include "product/openblas.h"

namespace pbatch {
namespace {

constexpr std::size_t kMaxSpatial = 3;
constexpr std::int64_t kMostOfAttribute = std::int64_t{1} << 31;  // of an attribute

struct TransposeAttributes {
  WindowAttributes window;
  std::vector<std::int64_t> output_padding, output_shape;
  std::int64_t groups = 1;
};

// One spatial dimension; missing ones are of size 1.
struct ScatterDimension {
  std::int64_t in = 1, kernel = 1, out = 1, stride = 1, dilation = 1, pad = 0;
};

Status wrong_input(const Tensor& x, const Tensor& w, const char* why) {
  return {ErrorCode::shape_mismatch,
          "X " + shape_to_string(x.shape()) + " does not fit W " + shape_to_string(w.shape()) +
              ": " + why,
          "feed the shape that the network was trained on"};
}

std::int64_t entry(const std::vector<std::int64_t>& list, std::size_t d, std::int64_t fallback) {
  return d < list.size() ? list[d] : fallback;
}

// What is cut off at the beginning, and the size that is left.
Status place(const TransposeAttributes& a, std::size_t d, std::size_t rank, ScatterDimension& dim) {
  const std::int64_t extent = (dim.kernel - 1) * dim.dilation + 1;
  const std::int64_t full = dim.stride * (dim.in - 1) + entry(a.output_padding, d, 0) + extent;
  const bool same =
      a.window.auto_pad == AutoPad::same_upper || a.window.auto_pad == AutoPad::same_lower;
  if (!a.output_shape.empty() || same) {
    dim.out = a.output_shape.empty() ? dim.in * dim.stride : a.output_shape[d];
    const std::int64_t cut = std::max<std::int64_t>(full - dim.out, 0);
    dim.pad = a.window.auto_pad == AutoPad::same_upper ? cut / 2 : cut - cut / 2;
  } else {
    dim.pad = entry(a.window.pads, d, 0);
    dim.out = full - dim.pad - entry(a.window.pads, d + rank, 0);
  }
  if (dim.out >= 0) return Status::ok();
  return {ErrorCode::shape_mismatch, "the pads cut off more than there is", "feed a larger input"};
}

// Adds a [kernel][in] block of products to one channel of the output.
void scatter(const ScatterDimension* dims, const float* products, float* y) {
  const std::int64_t positions = dims[0].in * dims[1].in * dims[2].in;
  const std::int64_t taps = dims[0].kernel * dims[1].kernel * dims[2].kernel;
  const auto target = [](const ScatterDimension& d, std::int64_t i, std::int64_t k) {
    const std::int64_t at = i * d.stride + k * d.dilation - d.pad;
    return at >= 0 && at < d.out ? at : -1;
  };
  for (std::int64_t t = 0; t < taps; ++t) {
    const std::int64_t k2 = t % dims[2].kernel, k1 = t / dims[2].kernel % dims[1].kernel;
    const std::int64_t k0 = t / dims[2].kernel / dims[1].kernel;
    const float* from = products + t * positions;
    for (std::int64_t i0 = 0; i0 < dims[0].in; ++i0) {
      for (std::int64_t i1 = 0; i1 < dims[1].in; ++i1, from += dims[2].in) {
        const std::int64_t o0 = target(dims[0], i0, k0), o1 = target(dims[1], i1, k1);
        if (o0 < 0 || o1 < 0) continue;
        float* const row = y + (o0 * dims[1].out + o1) * dims[2].out;
        for (std::int64_t i2 = 0; i2 < dims[2].in; ++i2) {
          const std::int64_t o2 = target(dims[2], i2, k2);
          if (o2 >= 0) row[o2] += from[i2];
        }
      }
    }
  }
}

struct Problem {
  std::int64_t batch = 0, groups = 1, inputs_each = 0, outputs_each = 0;  // channels of a group
  ScatterDimension dims[kMaxSpatial];
  bool has_bias = false;

  std::int64_t positions() const { return dims[0].in * dims[1].in * dims[2].in; }
  std::int64_t taps() const { return dims[0].kernel * dims[1].kernel * dims[2].kernel; }
  std::int64_t plane() const { return dims[0].out * dims[1].out * dims[2].out; }
};

// Per image and group a product of all taps of its channels, in scratch memory, then its sums.
void compute(const Problem& p, const StepCall& step) {
  const std::int64_t positions = p.positions(), taps = p.taps(), plane = p.plane();
  auto* const products = static_cast<float*>(step.scratch);
  SgemmCall call;
  call.m = p.outputs_each * taps;
  call.n = positions;
  call.k = p.inputs_each;
  call.transpose_a = true;
  call.y = products;
  const bool any = call.m * call.n != 0;
  const float* const bias = p.has_bias ? step.input<float>(2) : nullptr;
  for (std::int64_t g = 0; g < p.batch * p.groups; ++g) {
    if (any) {
      call.a = step.input<float>(1) + g % p.groups * p.inputs_each * call.m;
      call.b = step.input<float>(0) + g * p.inputs_each * positions;
      const OpenblasThreads threads(step.pool.lend());
      sgemm(call);
    }
    const auto channels = [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t m = begin; m < end; ++m) {
        float* const to = step.output<float>(0) + (g * p.outputs_each + m) * plane;
        std::fill(to, to + plane, bias != nullptr ? bias[g % p.groups * p.outputs_each + m] : 0.0F);
        if (any) scatter(p.dims, products + m * taps * positions, to);
      }
    };
    step.pool.parallel_for(p.outputs_each, 1 + (1 << 15) / (taps * positions + 1), channels);
  }
}

class ConvTranspose final : public Op {
 public:
  explicit ConvTranspose(TransposeAttributes attributes) : a_(std::move(attributes)) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor& x = *request.inputs[0];
    const Tensor& w = *request.inputs[1];
    const Tensor* bias = input_or_null(request.inputs, 2);
    PBATCH_RETURN_IF_ERROR(expect_float(&x, "input X"));
    PBATCH_RETURN_IF_ERROR(expect_float(&w, "input W"));
    PBATCH_RETURN_IF_ERROR(check(x, w));
    Problem p;
    p.batch = x.dim(0);
    p.groups = a_.groups;
    p.inputs_each = x.dim(1) / a_.groups;
    p.outputs_each = w.dim(1);
    p.has_bias = bias != nullptr;
    const std::int64_t channels = p.outputs_each * a_.groups;
    if (bias != nullptr) {
      PBATCH_RETURN_IF_ERROR(expect_float(bias, "input B"));
      if (bias->shape() != Shape{channels}) return wrong_input(x, w, "the bias has another size");
    }
    Shape shape{x.dim(0), channels};
    const std::size_t rank = x.rank() - 2;
    for (std::size_t d = 0; d < rank; ++d) {
      ScatterDimension& dim = p.dims[kMaxSpatial - rank + d];
      dim.in = x.dim(d + 2);
      dim.kernel = w.dim(d + 2);
      dim.stride = entry(a_.window.strides, d, 1);
      dim.dilation = entry(a_.window.dilations, d, 1);
      PBATCH_RETURN_IF_ERROR(place(a_, d, rank, dim));
      shape.push_back(dim.out);
    }
    const TensorType y{DType::f32, std::move(shape)};
    PBATCH_ASSIGN_OR_RETURN(const std::int64_t count,
                            checked_element_count(y.shape, sizeof(float)));
    if (count == 0) return StepPlan::of(y, [](const StepCall&) { return Status::ok(); });
    PBATCH_RETURN_IF_ERROR(check_sgemm(p.outputs_each * p.taps(), p.positions(), p.inputs_each));
    PBATCH_ASSIGN_OR_RETURN(
        const std::int64_t products,
        checked_element_count({p.outputs_each * p.taps(), p.positions()}, sizeof(float)));
    StepPlan plan = StepPlan::of(y, [p](const StepCall& call) {
      compute(p, call);
      return Status::ok();
    });
    plan.scratch_bytes = static_cast<std::size_t>(products) * sizeof(float);
    return plan;
  }

 private:
  Status check(const Tensor& x, const Tensor& w) const {
    const std::size_t rank = x.rank();
    if (rank != w.rank() || rank < 3) return wrong_input(x, w, "ranks differ or are less than 3");
    if (rank > kMaxSpatial + 2) {
      return {ErrorCode::unsupported, "ConvTranspose over more than 3 dimensions",
              "use at most 3 spatial dimensions"};
    }
    if (x.dim(1) != w.dim(0) || x.dim(1) % a_.groups != 0) {
      return wrong_input(x, w, "W takes another number of channels");
    }
    const auto fits = [rank](const std::vector<std::int64_t>& list, std::size_t times) {
      return list.empty() || list.size() == times * (rank - 2);
    };
    const Shape kernel(w.shape().begin() + 2, w.shape().end());
    if (!fits(a_.window.strides, 1) || !fits(a_.window.dilations, 1) || !fits(a_.window.pads, 2) ||
        !fits(a_.output_padding, 1) || !fits(a_.output_shape, 1) ||
        (!a_.window.kernel.empty() && a_.window.kernel != kernel)) {
      return wrong_input(x, w, "an attribute has another number of dimensions");
    }
    return Status::ok();
  }

  TransposeAttributes a_;
};

Result<std::vector<std::int64_t>> read_output_list(const Node& node, const char* name) {
  PBATCH_ASSIGN_OR_RETURN(std::vector<std::int64_t> list, node.ints_attr(name, {}));
  if (std::any_of(list.begin(), list.end(),
                  [](auto v) { return v < 0 || v >= kMostOfAttribute; })) {
    return Status(ErrorCode::malformed, std::string("attribute ") + name + " is out of range",
                  "export the network again");
  }
  return list;
}

}  // namespace

Result<std::unique_ptr<Op>> make_conv_transpose(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 2, 3));
  TransposeAttributes a;
  PBATCH_ASSIGN_OR_RETURN(a.window, read_window_attributes(node));
  PBATCH_ASSIGN_OR_RETURN(a.output_padding, read_output_list(node, "output_padding"));
  PBATCH_ASSIGN_OR_RETURN(a.output_shape, read_output_list(node, "output_shape"));
  PBATCH_ASSIGN_OR_RETURN(a.groups, node.int_attr("group", 1));
  if (a.groups < 1) {
    return Status(ErrorCode::malformed, "attribute group is " + std::to_string(a.groups),
                  "export the network again");
  }
  return std::unique_ptr<Op>(new ConvTranspose(std::move(a)));
}

}  // namespace pbatch
