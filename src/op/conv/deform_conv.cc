// DeformConv: a convolution over images whose taps stand where a tensor of offsets moves them.
#include <algorithm>
#include <cmath>

#include "op/data_checks.h"
#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"
#include "product/conv_geometry.h"

namespace pbatch {
namespace {

// Between the pixels of a plane; 0 outside.
float pixel_between(const float* plane, std::int64_t height, std::int64_t width, float y, float x) {
  if (!(y > -1.0F && y < static_cast<float>(height) && x > -1.0F &&
        x < static_cast<float>(width))) {
    return 0.0F;
  }
  const float top = std::floor(y), left = std::floor(x);
  float sum = 0;
  for (int i = 0; i < 2; ++i) {
    for (int j = 0; j < 2; ++j) {
      const auto row = static_cast<std::int64_t>(top) + i;
      const auto col = static_cast<std::int64_t>(left) + j;
      if (row < 0 || row >= height || col < 0 || col >= width) continue;
      const float down = i == 1 ? y - top : 1.0F - (y - top);
      const float right = j == 1 ? x - left : 1.0F - (x - left);
      sum += down * right * plane[row * width + col];
    }
  }
  return sum;
}

struct Deformation {
  ConvGeometry g;
  std::int64_t groups = 1, offset_groups = 1, rows = 0;  // rows: channels of the result

  std::int64_t taps() const { return g.kernel_size(); }
  std::int64_t pixels() const { return g.in[0] * g.in[1]; }

  // What tap `tap` of channel `c` of image `n` reads at each position: [positions].
  void read(const StepCall& call, std::int64_t n, std::int64_t c, std::int64_t tap,
            float* to) const {
    const std::int64_t positions = g.positions();
    const std::int64_t group = n * offset_groups + c / (g.channels / offset_groups);
    const float* const offsets = call.input<float>(2) + (group * taps() + tap) * 2 * positions;
    const float* const mask =
        call.in[4] == nullptr ? nullptr : call.input<float>(4) + (group * taps() + tap) * positions;
    const float* const plane = call.input<float>(0) + (n * g.channels + c) * pixels();
    for (std::int64_t p = 0; p < positions; ++p) {
      const std::int64_t row =
          p / g.out[1] * g.strides[0] - g.pads_begin[0] + tap / g.kernel[1] * g.dilations[0];
      const std::int64_t col =
          p % g.out[1] * g.strides[1] - g.pads_begin[1] + tap % g.kernel[1] * g.dilations[1];
      to[p] = pixel_between(plane, g.in[0], g.in[1], static_cast<float>(row) + offsets[p],
                            static_cast<float>(col) + offsets[positions + p]);
      if (mask != nullptr) to[p] *= mask[p];
    }
  }

  void run(const StepCall& call) const {
    auto* const columns = static_cast<float*>(call.scratch);  // [channels][taps][positions]
    const std::int64_t positions = g.positions(), cols = g.channels / groups * taps();
    for (std::int64_t n = 0; n < g.batch; ++n) {
      call.pool.parallel_for(g.channels * taps(), items_worth_a_thread(64 * positions),
                             [&](std::int64_t begin, std::int64_t end) {
                               for (std::int64_t i = begin; i < end; ++i) {
                                 read(call, n, i / taps(), i % taps(), columns + i * positions);
                               }
                             });
      call.pool.parallel_for(
          rows, items_worth_a_thread(cols * positions), [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t r = begin; r < end; ++r) {
              float* const y = call.output<float>(0) + (n * rows + r) * positions;
              std::fill_n(y, positions, call.in[3] == nullptr ? 0.0F : call.input<float>(3)[r]);
              const float* const x = columns + r / (rows / groups) * cols * positions;
              for (std::int64_t k = 0; k < cols; ++k) {
                const float w = call.input<float>(1)[r * cols + k];
                for (std::int64_t p = 0; p < positions; ++p) y[p] += w * x[k * positions + p];
              }
            }
          });
    }
  }
};

class DeformConv final : public Op {
 public:
  DeformConv(WindowAttributes window, std::int64_t groups, std::int64_t offset_groups)
      : window_(std::move(window)), groups_(groups), offset_groups_(offset_groups) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor& x = *request.inputs[0];
    const Tensor& w = *request.inputs[1];
    for (std::size_t i = 0; i < request.inputs.size(); ++i) {
      if (request.inputs[i] == nullptr) continue;
      PBATCH_RETURN_IF_ERROR(expect_float(request.inputs[i], "an input"));
    }
    if (x.rank() != 4 || w.rank() != 4) {
      return Status(
          ErrorCode::unsupported,
          "DeformConv of X " + shape_to_string(x.shape()) + " and W " + shape_to_string(w.shape()),
          "use two spatial dimensions");
    }
    const std::int64_t channels = x.dim(1);
    if (offset_groups_ > std::max<std::int64_t>(1, channels) || channels % offset_groups_ != 0 ||
        channels % groups_ != 0 || w.dim(0) % groups_ != 0 || w.dim(1) != channels / groups_) {
      return Status(ErrorCode::shape_mismatch,
                    "X " + shape_to_string(x.shape()) + " and W " + shape_to_string(w.shape()) +
                        " do not fit " + std::to_string(groups_) + " groups and " +
                        std::to_string(offset_groups_) + " of offsets",
                    "export the network again");
    }
    PBATCH_ASSIGN_OR_RETURN(ConvGeometry g,
                            make_geometry(window_, x.shape(), {w.dim(2), w.dim(3)}));
    const Deformation d{std::move(g), groups_, offset_groups_, w.dim(0)};
    const Shape moved{x.dim(0), offset_groups_ * 2 * d.taps(), d.g.out[0], d.g.out[1]};
    const Shape masked{x.dim(0), offset_groups_ * d.taps(), d.g.out[0], d.g.out[1]};
    const Tensor* const bias = input_or_null(request.inputs, 3);
    const Tensor* const mask = input_or_null(request.inputs, 4);
    if (request.inputs[2]->shape() != moved ||
        (bias != nullptr && bias->shape() != Shape{w.dim(0)}) ||
        (mask != nullptr && mask->shape() != masked)) {
      return Status(
          ErrorCode::shape_mismatch,
          "X " + shape_to_string(x.shape()) + ", W " + shape_to_string(w.shape()) +
              " and offsets " + shape_to_string(request.inputs[2]->shape()) +
              " do not fit together",
          "offsets must be " + shape_to_string(moved) + " and a mask " + shape_to_string(masked));
    }
    TensorType y{DType::f32, d.g.output_shape(d.rows)};
    const std::int64_t columns = d.g.channels * d.taps() * d.g.positions();
    const bool empty = product_of(y.shape, 0, y.shape.size()) == 0;
    const std::size_t given = request.inputs.size();
    StepPlan plan = StepPlan::of(std::move(y), [d, empty, given](const StepCall& call) {
      if (empty) return Status::ok();
      const void* in[5] = {};  // trailing inputs need not be there
      std::copy_n(call.in, given, in);
      d.run({in, call.out, call.scratch, nullptr, false, call.pool, call.buffers});
      return Status::ok();
    });
    plan.scratch_bytes = static_cast<std::size_t>(columns) * sizeof(float);
    return plan;
  }

 private:
  WindowAttributes window_;
  std::int64_t groups_, offset_groups_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_deform_conv(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 3, 5));
  PBATCH_ASSIGN_OR_RETURN(WindowAttributes window, read_window_attributes(node));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t groups, node.int_attr("group", 1));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t offset_groups, node.int_attr("offset_group", 1));
  if (groups < 1 || offset_groups < 1) {
    return Status(ErrorCode::malformed, "attributes group and offset_group must be from 1 on",
                  "export the network again");
  }
  return std::unique_ptr<Op>(new DeformConv(std::move(window), groups, offset_groups));
}

}  // namespace pbatch
