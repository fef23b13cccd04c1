// Resize, and Upsample before it: axes one by one, each by its table.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>

#include "op/conv/resize_axis.h"
#include "op/data_checks.h"
#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"
#include "op/scratch.h"

namespace pbatch {
namespace {

enum class AspectRatio { stretch, not_larger, not_smaller };

// Where the lists come from: inputs that are absent have no index.
struct Ports {
  std::optional<std::size_t> roi, scales, sizes;
  std::vector<float> fixed_scales;  // of Upsample's attribute
};

Status bad_list(const char* what) {
  return {ErrorCode::shape_mismatch, std::string(what) + " do not fit the axes of the input",
          "export the network again"};
}

class Resize final : public Op {
 public:
  Resize(ResizeRule rule, Ports ports, std::vector<std::int64_t> axes, AspectRatio ratio,
         float extrapolation)
      : rule_(rule),
        ports_(std::move(ports)),
        axes_(std::move(axes)),
        ratio_(ratio),
        extrapolation_(extrapolation) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor& x = *request.inputs[0];
    if (rule_.mode != ResizeRule::Mode::nearest) PBATCH_RETURN_IF_ERROR(expect_float(&x, "X"));
    for (const auto& port : {ports_.roi, ports_.scales, ports_.sizes}) {
      if (port && input_or_null(request.inputs, *port) != nullptr && !request.knows(*port)) {
        return StepPlan::not_yet();
      }
    }
    std::vector<ResizeAxis> axes;
    PBATCH_RETURN_IF_ERROR(make_plan(x.shape(), request.inputs, axes));
    const Layout layout = request.layout(0);
    std::vector<ResizeAxis> in_memory(axes.size());
    for (std::size_t d = 0; d < axes.size(); ++d) {
      in_memory[axis_in_memory(d, axes.size(), layout)] = axes[d];
    }
    Shape shape = x.shape();
    for (std::size_t d = 0; d < axes.size(); ++d) shape[d] = axes[d].out;
    PBATCH_ASSIGN_OR_RETURN(std::vector<Pass> passes,
                            make_passes(in_memory, shape_in_memory(x.shape(), layout), x.dtype()));
    TensorType y{x.dtype(), std::move(shape)};
    if (passes.empty()) return StepPlan::alias(std::move(y)).in_layout(layout);
    return plan_passes(std::move(y), std::move(passes)).in_layout(layout);
  }

  Layout wanted_layout(const PlanRequest& request, std::size_t i) const override {
    return i == 0 ? request.layout(0) : Layout::plain;
  }

 private:
  // One axis of a tensor whose other axes have their size by then.
  struct Pass {
    ResizeAxis axis;
    ResizeTable table;
    std::int64_t inner = 1, rows = 0;  // of the result
    std::int64_t elements = 0;
  };

  // `axes` and `shape`: as the elements lie.
  Result<std::vector<Pass>> make_passes(const std::vector<ResizeAxis>& axes, Shape shape,
                                        DType type) const {
    std::vector<Pass> passes;
    for (std::size_t d = 0; d < axes.size(); ++d) {
      const bool whole = axes[d].in == axes[d].out && axes[d].scale == 1.0F;
      if (whole && rule_.coordinates != ResizeRule::Coordinates::tf_crop_and_resize) continue;
      if (axes[d].out > 0 && axes[d].in == 0) return bad_list("sizes");
      shape[d] = axes[d].out;
      PBATCH_ASSIGN_OR_RETURN(const std::int64_t count,
                              checked_element_count(shape, dtype_size(type)));
      passes.push_back(pass_along(d, axes[d], shape, count));
    }
    return passes;
  }

  Pass pass_along(std::size_t d, const ResizeAxis& axis, const Shape& shape,
                  std::int64_t elements) const {
    Pass pass;
    pass.axis = axis;
    pass.elements = elements;
    if (elements == 0) return pass;
    pass.table = make_resize_table(rule_, axis);
    pass.inner = product_of(shape, d + 1, shape.size());
    pass.rows = product_of(shape, 0, d) * axis.out;
    return pass;
  }

  // What lies between two passes is in scratch memory, in two places by turns.
  StepPlan plan_passes(TensorType y, std::vector<Pass> passes) const {
    const DType type = y.dtype;
    ScratchLayout scratch;
    std::int64_t most = 0;
    for (std::size_t i = 0; i + 1 < passes.size(); ++i) most = std::max(most, passes[i].elements);
    const std::size_t bytes = static_cast<std::size_t>(most) * dtype_size(type);
    const std::size_t places[] = {scratch.add(bytes), scratch.add(bytes)};
    StepPlan plan =
        StepPlan::of(std::move(y), [this, passes = std::move(passes), type, first = places[0],
                                    second = places[1]](const StepCall& call) {
          const void* from = call.in[0];
          for (std::size_t i = 0; i < passes.size(); ++i) {
            void* const to = i + 1 == passes.size()
                                 ? call.out[0]
                                 : scratch_at<void>(call, i % 2 == 0 ? first : second);
            run_pass(passes[i], type, from, to, call.pool);
            from = to;
          }
          return Status::ok();
        });
    plan.scratch_bytes = scratch.bytes();
    return plan;
  }

  void run_pass(const Pass& pass, DType type, const void* from, void* to, ThreadPool& pool) const {
    pool.parallel_for(pass.rows, items_worth_a_thread(pass.inner * pass.table.taps * 4),
                      [&](std::int64_t begin, std::int64_t end) {
                        for (std::int64_t r = begin; r < end; ++r) {
                          if (rule_.mode == ResizeRule::Mode::nearest) {
                            copy_row(pass, type, from, r, to);
                          } else {
                            mix_row(pass, static_cast<const float*>(from), r,
                                    static_cast<float*>(to));
                          }
                        }
                      });
  }

  Status make_plan(const Shape& shape, std::span<const Tensor* const> inputs,
                   std::vector<ResizeAxis>& plan) const {
    for (const std::int64_t extent : shape) plan.push_back({extent, extent, 1.0F, 0.0F, 1.0F});
    std::vector<std::size_t> axes;
    if (axes_.empty()) {
      for (std::size_t d = 0; d < shape.size(); ++d) axes.push_back(d);
    }
    PBATCH_RETURN_IF_ERROR(mark_axes(axes_, shape.size()).status());
    for (const std::int64_t axis : axes_) {
      PBATCH_ASSIGN_OR_RETURN(const std::size_t d, normalize_axis(axis, shape.size()));
      axes.push_back(d);
    }
    PBATCH_RETURN_IF_ERROR(set_regions(inputs, axes, plan));
    const Tensor* sizes = ports_.sizes ? input_or_null(inputs, *ports_.sizes) : nullptr;
    if (sizes != nullptr && sizes->size() != 0) return set_sizes(*sizes, axes, plan);
    return set_scales(inputs, axes, plan);
  }

  Status set_regions(std::span<const Tensor* const> inputs, const std::vector<std::size_t>& axes,
                     std::vector<ResizeAxis>& plan) const {
    if (rule_.coordinates != ResizeRule::Coordinates::tf_crop_and_resize) return Status::ok();
    const Tensor* roi = ports_.roi ? input_or_null(inputs, *ports_.roi) : nullptr;
    PBATCH_RETURN_IF_ERROR(expect_float(roi, "roi"));
    const std::size_t count = axes.size();
    if (static_cast<std::size_t>(roi->size()) != 2 * count) return bad_list("regions");
    for (std::size_t i = 0; i < count; ++i) {
      plan[axes[i]].begin = roi->data<float>()[i];
      plan[axes[i]].end = roi->data<float>()[i + count];
    }
    return Status::ok();
  }

  Status set_sizes(const Tensor& tensor, const std::vector<std::size_t>& axes,
                   std::vector<ResizeAxis>& plan) const {
    PBATCH_ASSIGN_OR_RETURN(const std::vector<std::int64_t> sizes, read_integers(tensor, "sizes"));
    if (sizes.size() != axes.size()) return bad_list("sizes");
    std::optional<float> common;
    for (std::size_t i = 0; i < axes.size(); ++i) {
      ResizeAxis& a = plan[axes[i]];
      if (sizes[i] < 0) return bad_list("sizes");
      a.out = sizes[i];
      a.scale = static_cast<float>(sizes[i]) / static_cast<float>(std::max<std::int64_t>(a.in, 1));
      const bool larger = common && a.scale > *common;
      if (!common || larger == (ratio_ == AspectRatio::not_smaller)) common = a.scale;
    }
    if (ratio_ == AspectRatio::stretch) return Status::ok();
    for (const std::size_t d : axes) {
      plan[d].scale = *common;
      plan[d].out = std::lround(*common * static_cast<float>(plan[d].in));
    }
    return Status::ok();
  }

  Status set_scales(std::span<const Tensor* const> inputs, const std::vector<std::size_t>& axes,
                    std::vector<ResizeAxis>& plan) const {
    std::vector<float> scales = ports_.fixed_scales;
    if (ports_.scales) {
      const Tensor* given = input_or_null(inputs, *ports_.scales);
      PBATCH_RETURN_IF_ERROR(expect_float(given, "scales"));
      scales.assign(given->data<float>(), given->data<float>() + given->size());
    }
    if (scales.size() != axes.size()) return bad_list("scales");
    for (std::size_t i = 0; i < axes.size(); ++i) {
      ResizeAxis& a = plan[axes[i]];
      const float extent = std::floor(static_cast<float>(a.in) * scales[i]);
      if (!(scales[i] > 0.0F) || !(extent < 0x1p31F)) return bad_list("scales");
      a.scale = scales[i];
      a.out = static_cast<std::int64_t>(extent);
    }
    return Status::ok();
  }

  bool is_outside(const ResizeTable& t, std::int64_t o) const {
    return !t.outside.empty() && t.outside[static_cast<std::size_t>(o)];
  }

  void copy_row(const Pass& pass, DType type, const void* x, std::int64_t r, void* y) const {
    const std::int64_t o = r % pass.axis.out;
    const std::int64_t bytes = pass.inner * static_cast<std::int64_t>(dtype_size(type));
    auto* const to = static_cast<char*>(y) + r * bytes;
    if (is_outside(pass.table, o) && type == DType::f32) {
      fill_elements(to, pass.inner, &extrapolation_, sizeof(float));
      return;
    }
    const std::int64_t from =
        r / pass.axis.out * pass.axis.in + pass.table.indices[static_cast<std::size_t>(o)];
    std::memcpy(to, static_cast<const char*>(x) + from * bytes, static_cast<std::size_t>(bytes));
  }

  void mix_row(const Pass& pass, const float* x, std::int64_t r, float* y) const {
    const ResizeTable& t = pass.table;
    const std::int64_t o = r % pass.axis.out;
    float* const to = y + r * pass.inner;
    std::fill(to, to + pass.inner, is_outside(t, o) ? extrapolation_ : 0.0F);
    if (is_outside(t, o)) return;
    for (std::int64_t k = 0; k < t.taps; ++k) {
      const auto tap = static_cast<std::size_t>(o * t.taps + k);
      const float weight = t.weights[tap];
      if (weight == 0.0F) continue;
      const float* const from =
          x + (r / pass.axis.out * pass.axis.in + t.indices[tap]) * pass.inner;
      for (std::int64_t i = 0; i < pass.inner; ++i) to[i] += weight * from[i];
    }
  }

  ResizeRule rule_;
  Ports ports_;
  std::vector<std::int64_t> axes_;
  AspectRatio ratio_;
  float extrapolation_;
};

Result<AspectRatio> read_aspect_ratio(const Node& node) {
  PBATCH_ASSIGN_OR_RETURN(const std::string name,
                          node.string_attr("keep_aspect_ratio_policy", "stretch"));
  if (name == "stretch") return AspectRatio::stretch;
  if (name == "not_larger") return AspectRatio::not_larger;
  if (name == "not_smaller") return AspectRatio::not_smaller;
  return Status(ErrorCode::unsupported,
                "keep_aspect_ratio_policy = '" + name + "' of Resize is not known",
                "use stretch, not_larger or not_smaller");
}

}  // namespace

Result<std::unique_ptr<Op>> make_resize(const Graph&, const Node& node) {
  const bool old = node.opset < 11;
  PBATCH_RETURN_IF_ERROR(check_arity(node, old ? 2 : 1, old ? 2 : 4));
  PBATCH_ASSIGN_OR_RETURN(const ResizeRule rule, read_resize_rule(node));
  PBATCH_ASSIGN_OR_RETURN(std::vector<std::int64_t> axes, node.ints_attr("axes", {}));
  PBATCH_ASSIGN_OR_RETURN(const AspectRatio ratio, read_aspect_ratio(node));
  PBATCH_ASSIGN_OR_RETURN(const float outside, node.float_attr("extrapolation_value", 0.0F));
  Ports ports;
  if (old) {
    ports.scales = 1;
  } else {
    if (has_input(node, 1)) ports.roi = 1;
    if (has_input(node, 2)) ports.scales = 2;
    if (has_input(node, 3)) ports.sizes = 3;
    if (!ports.scales && !ports.sizes) {
      return Status(ErrorCode::malformed, "Resize has neither scales nor sizes",
                    "export the network again");
    }
  }
  return std::unique_ptr<Op>(new Resize(rule, ports, std::move(axes), ratio, outside));
}

Result<std::unique_ptr<Op>> make_upsample(const Graph&, const Node& node) {
  const bool has_attribute = node.opset < 9;
  PBATCH_RETURN_IF_ERROR(check_arity(node, has_attribute ? 1 : 2, has_attribute ? 1 : 2));
  Node as_old = node;
  as_old.opset = std::min(node.opset, 10);
  PBATCH_ASSIGN_OR_RETURN(const ResizeRule rule, read_resize_rule(as_old));
  Ports ports;
  if (!has_attribute) ports.scales = 1;
  if (const auto it = node.attributes.find("scales");
      has_attribute && it != node.attributes.end()) {
    const auto* scales = std::get_if<std::vector<float>>(&it->second);
    if (scales != nullptr) ports.fixed_scales = *scales;
  }
  return std::unique_ptr<Op>(new Resize(rule, ports, {}, AspectRatio::stretch, 0.0F));
}

}  // namespace pbatch
