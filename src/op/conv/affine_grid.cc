// AffineGrid: where each pixel of an image comes from under a linear map, for GridSample.
#include "op/data_checks.h"
#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

class AffineGrid final : public Op {
 public:
  explicit AffineGrid(bool align_corners) : align_corners_(align_corners) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor& theta = *request.inputs[0];
    PBATCH_RETURN_IF_ERROR(expect_float(&theta, "input theta"));
    if (!request.knows(1)) return StepPlan::not_yet();
    PBATCH_ASSIGN_OR_RETURN(const std::vector<std::int64_t> size,
                            read_integers(*request.inputs[1], "input size"));
    PBATCH_RETURN_IF_ERROR(checked_element_count(size, sizeof(float)).status());
    const auto axes = static_cast<std::int64_t>(size.size()) - 2;
    if ((axes != 2 && axes != 3) || theta.shape() != Shape{size[0], axes, axes + 1}) {
      return Status(ErrorCode::shape_mismatch,
                    "maps of shape " + shape_to_string(theta.shape()) + " do not fit images " +
                        shape_to_string(size),
                    "feed theta [N, 2, 3] for [N, C, H, W], or [N, 3, 4] for [N, C, D, H, W]");
    }
    const Shape extents(size.begin() + 2, size.end());
    Shape shape{size[0]};
    shape.insert(shape.end(), extents.begin(), extents.end());
    shape.push_back(axes);
    PBATCH_RETURN_IF_ERROR(checked_element_count(shape, sizeof(float)).status());
    const std::int64_t pixels = product_of(extents, 0, extents.size());
    return StepPlan::of({DType::f32, std::move(shape)}, [this, extents, axes, pixels,
                                                         images = size[0]](const StepCall& call) {
      call.pool.parallel_for(images * pixels, items_worth_a_thread(64),
                             [&](std::int64_t begin, std::int64_t end) {
                               for (std::int64_t p = begin; p < end; ++p) {
                                 map(call.input<float>(0) + p / pixels * axes * (axes + 1),
                                     p % pixels, extents, call.output<float>(0) + p * axes);
                               }
                             });
      return Status::ok();
    });
  }

 private:
  // `to` and the maps have the last dimension first.
  void map(const float* theta, std::int64_t pixel, const Shape& extents, float* to) const {
    const auto axes = static_cast<std::int64_t>(extents.size());
    float from[3] = {};
    for (std::int64_t a = 0; a < axes; ++a) {
      const std::int64_t extent = extents[static_cast<std::size_t>(axes - 1 - a)];
      from[a] = place(pixel % extent, extent);
      pixel /= extent;
    }
    for (std::int64_t r = 0; r < axes; ++r, theta += axes + 1) {
      to[r] = theta[axes];
      for (std::int64_t a = 0; a < axes; ++a) to[r] += theta[a] * from[a];
    }
  }

  // From -1 to 1: of the corner pixels' centres, or of the image's border.
  float place(std::int64_t i, std::int64_t extent) const {
    const auto at = static_cast<float>(i), n = static_cast<float>(extent);
    if (!align_corners_) return (2.0F * at + 1.0F) / n - 1.0F;
    return extent == 1 ? -1.0F : 2.0F * at / (n - 1.0F) - 1.0F;
  }

  bool align_corners_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_affine_grid(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 2, 2));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t align, node.int_attr("align_corners", 0));
  return std::unique_ptr<Op>(new AffineGrid(align != 0));
}

}  // namespace pbatch
