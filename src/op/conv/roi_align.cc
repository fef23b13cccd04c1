// RoiAlign: means, or maxima, of samples between the pixels of regions of images.
#include <algorithm>
#include <cmath>

#include "op/data_checks.h"
#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

constexpr float kMostSamples = 0x1p12F;  // of a bin along a side; more is no region but an error

struct RoiAlignment {
  bool max = false, half_pixel = true;
  std::int64_t rows = 1, cols = 1;  // of a result
  std::int64_t samples = 0;         // of a bin along a side; 0: as many as it has pixels
  float scale = 1;
};

// The bins of a region along one side.
struct RoiSide {
  float start = 0, bin = 0;
  std::int64_t samples = 0;

  float place(std::int64_t b, std::int64_t s) const {
    return start + static_cast<float>(b) * bin +
           (static_cast<float>(s) + 0.5F) * bin / static_cast<float>(samples);
  }
};

Result<RoiSide> side_of(const RoiAlignment& set, float begin, float end, std::int64_t bins) {
  const float offset = set.half_pixel ? 0.5F : 0.0F;
  RoiSide side;
  side.start = begin * set.scale - offset;
  float length = end * set.scale - offset - side.start;
  if (!set.half_pixel) length = std::max(length, 1.0F);
  side.bin = length / static_cast<float>(bins);
  const float samples = set.samples > 0 ? static_cast<float>(set.samples) : std::ceil(side.bin);
  if (!(samples <= kMostSamples)) {
    return Status(ErrorCode::invalid_argument,
                  "a region from " + std::to_string(begin) + " to " + std::to_string(end) +
                      " has too many samples",
                  "feed regions of the size of the image");
  }
  side.samples = std::max<std::int64_t>(0, static_cast<std::int64_t>(samples));
  return side;
}

// Two neighbours of a place and their weights.
struct Neighbours {
  std::int64_t low = 0, high = 0;
  float low_weight = 0, high_weight = 0;
};

Neighbours neighbours(float place, std::int64_t extent) {
  if (!(place >= -1.0F && place <= static_cast<float>(extent))) return {};
  place = std::max(place, 0.0F);
  const auto low = static_cast<std::int64_t>(place);
  if (low >= extent - 1) return {extent - 1, extent - 1, 1.0F, 0.0F};
  const float part = place - static_cast<float>(low);
  return {low, low + 1, 1.0F - part, part};
}

// One bin of one channel. The maximum is that of the weighted neighbours, as ONNX has it.
float bin_value(const RoiAlignment& set, const RoiSide& y, const RoiSide& x, std::int64_t row,
                std::int64_t col, const float* plane, std::int64_t height, std::int64_t width) {
  float sum = 0;
  for (std::int64_t i = 0; i < y.samples; ++i) {
    for (std::int64_t j = 0; j < x.samples; ++j) {
      const Neighbours v = neighbours(y.place(row, i), height);
      const Neighbours h = neighbours(x.place(col, j), width);
      const float parts[4] = {
          v.low_weight * h.low_weight * plane[v.low * width + h.low],
          v.low_weight * h.high_weight * plane[v.low * width + h.high],
          v.high_weight * h.low_weight * plane[v.high * width + h.low],
          v.high_weight * h.high_weight * plane[v.high * width + h.high],
      };
      if (set.max) {
        const float most = *std::max_element(parts, parts + 4);
        sum = i + j == 0 ? most : std::max(sum, most);
      } else {
        sum += parts[0] + parts[1] + parts[2] + parts[3];
      }
    }
  }
  const std::int64_t count = std::max<std::int64_t>(1, y.samples * x.samples);
  return set.max ? sum : sum / static_cast<float>(count);
}

class RoiAlign final : public Op {
 public:
  explicit RoiAlign(RoiAlignment settings) : set_(settings) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor& x = *request.inputs[0];
    const Tensor& rois = *request.inputs[1];
    const Tensor& batches = *request.inputs[2];
    PBATCH_RETURN_IF_ERROR(expect_float(&x, "input X"));
    PBATCH_RETURN_IF_ERROR(expect_float(&rois, "the list of regions"));
    PBATCH_RETURN_IF_ERROR(Indices::of(batches).status());
    if (x.rank() != 4 || batches.rank() != 1 || rois.shape() != Shape{batches.dim(0), 4}) {
      return Status(ErrorCode::shape_mismatch,
                    "regions of shape " + shape_to_string(rois.shape()) + " and " +
                        shape_to_string(batches.shape()) + " batch indices do not fit images " +
                        shape_to_string(x.shape()),
                    "feed X [N, C, H, W], rois [R, 4] and batch_indices [R]");
    }
    const std::int64_t count = rois.dim(0), channels = x.dim(1), height = x.dim(2),
                       width = x.dim(3);
    if (count != 0 && x.size() == 0) {
      return Status(ErrorCode::shape_mismatch, "regions of an empty image", "feed a larger one");
    }
    return StepPlan::of(
        {DType::f32, {count, channels, set_.rows, set_.cols}},
        [=, set = set_, images = x.dim(0), type = batches.dtype()](const StepCall& call) -> Status {
          const Indices batch(type, call.in[2]);
          float* to = call.output<float>(0);
          for (std::int64_t r = 0; r < count; ++r) {
            if (batch[r] < 0 || batch[r] >= images) return index_out_of_range(batch[r], images);
            const float* const roi = call.input<float>(1) + 4 * r;
            PBATCH_ASSIGN_OR_RETURN(const RoiSide h, side_of(set, roi[0], roi[2], set.cols));
            PBATCH_ASSIGN_OR_RETURN(const RoiSide v, side_of(set, roi[1], roi[3], set.rows));
            const std::int64_t bins = set.rows * set.cols;
            const float* const image = call.input<float>(0) + batch[r] * channels * height * width;
            call.pool.parallel_for(
                channels * bins, items_worth_a_thread(64 * (1 + v.samples * h.samples)),
                [&](std::int64_t begin, std::int64_t end) {
                  for (std::int64_t i = begin; i < end; ++i) {
                    to[i] = bin_value(set, v, h, i % bins / set.cols, i % set.cols,
                                      image + i / bins * height * width, height, width);
                  }
                });
            to += channels * bins;
          }
          return Status::ok();
        });
  }

 private:
  RoiAlignment set_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_roi_align(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 3, 3));
  RoiAlignment set;
  PBATCH_ASSIGN_OR_RETURN(const std::string mode, node.string_attr("mode", "avg"));
  // Before opset 16 a region starts at its first pixel's corner.
  PBATCH_ASSIGN_OR_RETURN(const std::string transformation,
                          node.string_attr("coordinate_transformation_mode",
                                           node.opset < 16 ? "output_half_pixel" : "half_pixel"));
  set.max = mode == "max";
  set.half_pixel = transformation == "half_pixel";
  if ((!set.max && mode != "avg") || (!set.half_pixel && transformation != "output_half_pixel")) {
    return Status(ErrorCode::unsupported,
                  "mode '" + mode + "' with coordinate_transformation_mode '" + transformation +
                      "' of RoiAlign",
                  "use avg or max, and half_pixel or output_half_pixel");
  }
  PBATCH_ASSIGN_OR_RETURN(set.rows, node.int_attr("output_height", 1));
  PBATCH_ASSIGN_OR_RETURN(set.cols, node.int_attr("output_width", 1));
  PBATCH_ASSIGN_OR_RETURN(set.samples, node.int_attr("sampling_ratio", 0));
  PBATCH_ASSIGN_OR_RETURN(set.scale, node.float_attr("spatial_scale", 1.0F));
  if (set.rows < 1 || set.cols < 1 || set.samples < 0) {
    return Status(ErrorCode::malformed, "RoiAlign to a size below 1, or of less than no samples",
                  "export the network again");
  }
  return std::unique_ptr<Op>(new RoiAlign(set));
}

}  // namespace pbatch
