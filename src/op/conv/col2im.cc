// Col2Im: adds up the windows that a convolution would read, in an image of zeros.
#include <algorithm>
#include <limits>

#include "op/data_checks.h"
#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"
#include "product/conv_geometry.h"

namespace pbatch {
namespace {

// The image element at which tap `tap` of the window at `position` stands; -1 for padding.
std::int64_t image_place(const ConvGeometry& g, std::int64_t tap, std::int64_t position) {
  std::int64_t place = 0, stride = 1;
  for (std::size_t d = g.spatial_rank(); d-- > 0;) {
    const std::int64_t at =
        position % g.out[d] * g.strides[d] - g.pads_begin[d] + tap % g.kernel[d] * g.dilations[d];
    if (at < 0 || at >= g.in[d]) return -1;
    place += at * stride;
    stride *= g.in[d];
    position /= g.out[d];
    tap /= g.kernel[d];
  }
  return place;
}

class Col2Im final : public Op {
 public:
  explicit Col2Im(WindowAttributes window) : window_(std::move(window)) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor& x = *request.inputs[0];
    PBATCH_RETURN_IF_ERROR(expect_float(&x, "input"));
    if (!request.knows(1) || !request.knows(2)) return StepPlan::not_yet();
    PBATCH_ASSIGN_OR_RETURN(const std::vector<std::int64_t> image,
                            read_integers(*request.inputs[1], "image_shape"));
    PBATCH_ASSIGN_OR_RETURN(const std::vector<std::int64_t> block,
                            read_integers(*request.inputs[2], "block_shape"));
    PBATCH_RETURN_IF_ERROR(checked_element_count(image, sizeof(float)).status());
    PBATCH_ASSIGN_OR_RETURN(const std::int64_t taps, checked_element_count(block, 1));
    const bool too_large = std::any_of(block.begin(), block.end(), [](std::int64_t b) {
      return b > std::numeric_limits<std::int32_t>::max();
    });
    if (too_large || x.rank() != 3 || taps < 1 || x.dim(1) % taps != 0) {
      return does_not_fit(x, block, image);
    }
    Shape shape{x.dim(0), x.dim(1) / taps};
    shape.insert(shape.end(), image.begin(), image.end());
    PBATCH_RETURN_IF_ERROR(checked_element_count(shape, sizeof(float)).status());
    PBATCH_ASSIGN_OR_RETURN(const ConvGeometry g, make_geometry(window_, shape, block));
    if (g.positions() != x.dim(2)) return does_not_fit(x, block, image);
    const std::int64_t pixels = product_of(image, 0, image.size());
    return StepPlan::of({DType::f32, std::move(shape)}, [g, taps, pixels](const StepCall& call) {
      const std::int64_t positions = g.positions();
      call.pool.parallel_for(
          g.batch * g.channels, items_worth_a_thread(64 * taps * positions),
          [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t c = begin; c < end; ++c) {
              float* const to = call.output<float>(0) + c * pixels;
              const float* const from = call.input<float>(0) + c * taps * positions;
              std::fill_n(to, pixels, 0.0F);
              for (std::int64_t i = 0; i < taps * positions; ++i) {
                const std::int64_t place = image_place(g, i / positions, i % positions);
                if (place >= 0) to[place] += from[i];
              }
            }
          });
      return Status::ok();
    });
  }

 private:
  static Status does_not_fit(const Tensor& x, const Shape& block, const Shape& image) {
    return {ErrorCode::shape_mismatch,
            "columns of shape " + shape_to_string(x.shape()) + " do not fit blocks " +
                shape_to_string(block) + " of an image " + shape_to_string(image),
            "feed [N, C x elements of a block, number of blocks]"};
  }

  WindowAttributes window_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_col2im(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 3, 3));
  PBATCH_ASSIGN_OR_RETURN(WindowAttributes window, read_window_attributes(node));
  return std::unique_ptr<Op>(new Col2Im(std::move(window)));
}

}  // namespace pbatch
