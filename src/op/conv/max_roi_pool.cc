// MaxRoiPool: the maxima of a grid of bins over regions of images, whole pixels each.
#include <algorithm>
#include <cmath>
#include <limits>

#include "op/data_checks.h"
#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

// Bins of a region along one side of an image; places are whole numbers held in floats.
struct PixelBins {
  float start, size;
  std::int64_t bins, extent;

  PixelBins(float begin, float end, float scale, std::int64_t count, std::int64_t of)
      : start(std::round(begin * scale)),
        size(std::max(std::round(end * scale) - start + 1.0F, 1.0F)),
        bins(count),
        extent(of) {}

  std::int64_t clamped(float place) const {
    if (!(place > 0.0F)) return 0;
    return place < static_cast<float>(extent) ? static_cast<std::int64_t>(place) : extent;
  }
  std::int64_t begin(std::int64_t b) const {
    return clamped(start + std::floor(static_cast<float>(b) * (size / static_cast<float>(bins))));
  }
  std::int64_t end(std::int64_t b) const {
    return clamped(start +
                   std::ceil(static_cast<float>(b + 1) * (size / static_cast<float>(bins))));
  }
};

// 0 where a bin has no pixel.
float bin_maximum(const PixelBins& v, const PixelBins& h, std::int64_t row, std::int64_t col,
                  const float* plane) {
  if (v.begin(row) >= v.end(row) || h.begin(col) >= h.end(col)) return 0.0F;
  float most = -std::numeric_limits<float>::infinity();
  for (std::int64_t y = v.begin(row); y < v.end(row); ++y) {
    for (std::int64_t x = h.begin(col); x < h.end(col); ++x) {
      const float value = plane[y * h.extent + x];
      if (value > most || value != value) most = value;
    }
  }
  return most;
}

class MaxRoiPool final : public Op {
 public:
  MaxRoiPool(std::int64_t rows, std::int64_t cols, float scale)
      : rows_(rows), cols_(cols), scale_(scale) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor& x = *request.inputs[0];
    const Tensor& rois = *request.inputs[1];
    PBATCH_RETURN_IF_ERROR(expect_float(&x, "input X"));
    PBATCH_RETURN_IF_ERROR(expect_float(&rois, "the list of regions"));
    if (x.rank() != 4 || rois.rank() != 2 || rois.dim(1) != 5) {
      return Status(ErrorCode::shape_mismatch,
                    "regions of shape " + shape_to_string(rois.shape()) + " do not fit images " +
                        shape_to_string(x.shape()),
                    "feed X [N, C, H, W] and rois [R, 5]");
    }
    const std::int64_t channels = x.dim(1), height = x.dim(2), width = x.dim(3);
    return StepPlan::of(
        {DType::f32, {rois.dim(0), channels, rows_, cols_}},
        [=, this, count = rois.dim(0), images = x.dim(0)](const StepCall& call) -> Status {
          float* to = call.output<float>(0);
          for (std::int64_t r = 0; r < count; ++r) {
            const float* const roi = call.input<float>(1) + 5 * r;
            if (!(roi[0] >= 0.0F && roi[0] < static_cast<float>(images))) {
              return {ErrorCode::invalid_argument,
                      "region " + std::to_string(r) + " is of image " + std::to_string(roi[0]) +
                          ", of " + std::to_string(images),
                      "feed the number of an image first in each region"};
            }
            const PixelBins h(roi[1], roi[3], scale_, cols_, width);
            const PixelBins v(roi[2], roi[4], scale_, rows_, height);
            const float* plane = call.input<float>(0) +
                                 static_cast<std::int64_t>(roi[0]) * channels * height * width;
            for (std::int64_t c = 0; c < channels; ++c, plane += height * width) {
              for (std::int64_t b = 0; b < rows_ * cols_; ++b) {
                *to++ = bin_maximum(v, h, b / cols_, b % cols_, plane);
              }
            }
          }
          return Status::ok();
        });
  }

 private:
  std::int64_t rows_, cols_;
  float scale_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_max_roi_pool(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 2, 2));
  PBATCH_ASSIGN_OR_RETURN(const std::vector<std::int64_t> shape,
                          node.ints_attr("pooled_shape", {}));
  PBATCH_ASSIGN_OR_RETURN(const float scale, node.float_attr("spatial_scale", 1.0F));
  if (shape.size() != 2 || shape[0] < 1 || shape[1] < 1) {
    return Status(ErrorCode::malformed, "attribute pooled_shape is " + shape_to_string(shape),
                  "it must be a height and a width; export the network again");
  }
  return std::unique_ptr<Op>(new MaxRoiPool(shape[0], shape[1], scale));
}

}  // namespace pbatch
