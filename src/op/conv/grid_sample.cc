// GridSample: the input read at places between its elements that a grid gives.
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "op/data_checks.h"
#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

enum class SampleMode { linear, nearest, cubic };
enum class Padding { zeros, border, reflection };
constexpr std::size_t kMaxSampledAxes = 3;

float reflected(float x, float low, float high) {
  const float range = high - low;
  if (!(range > 0.0F)) return low;
  const float distance = std::fabs(x - low);
  const float rest = std::fmod(distance, 2.0F * range);
  return low + (rest <= range ? rest : 2.0F * range - rest);
}

// The weights of the elements from `first` on.
struct SampleTaps {
  std::int64_t first = 0;
  int count = 1;
  float weights[4] = {1.0F, 0.0F, 0.0F, 0.0F};
};

float cubic(float x) {
  constexpr float a = -0.75F;
  x = std::fabs(x);
  if (x <= 1.0F) return ((a + 2.0F) * x - (a + 3.0F)) * x * x + 1.0F;
  return ((a * x - 5.0F * a) * x + 8.0F * a) * x - 4.0F * a;
}

class GridSample final : public Op {
 public:
  GridSample(SampleMode mode, Padding padding, bool align_corners)
      : mode_(mode), padding_(padding), align_corners_(align_corners) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor& x = *request.inputs[0];
    const Tensor& grid = *request.inputs[1];
    PBATCH_RETURN_IF_ERROR(expect_float(&x, "input X"));
    PBATCH_RETURN_IF_ERROR(expect_float(&grid, "grid"));
    const std::size_t rank = x.rank() > 2 ? x.rank() - 2 : 0;
    if (rank < 1 || rank > kMaxSampledAxes || grid.rank() != rank + 2 || grid.dim(0) != x.dim(0) ||
        grid.shape().back() != static_cast<std::int64_t>(rank)) {
      return Status(ErrorCode::shape_mismatch,
                    "a grid of shape " + shape_to_string(grid.shape()) + " does not fit X " +
                        shape_to_string(x.shape()),
                    "feed the shape that the network was exported for");
    }
    Shape shape{x.dim(0), x.dim(1)};
    shape.insert(shape.end(), grid.shape().begin() + 1, grid.shape().end() - 1);
    const std::int64_t count = product_of(shape, 0, shape.size());
    if (x.size() == 0 && count != 0) {
      return Status(ErrorCode::shape_mismatch, "GridSample of an empty input", "feed a larger one");
    }
    Image image{rank, x.dim(1), product_of(shape, 2, shape.size())};
    for (std::size_t d = 0; d < rank; ++d) image.extents[kMaxSampledAxes - rank + d] = x.dim(d + 2);
    return StepPlan::of(
        {DType::f32, std::move(shape)},
        [this, image, places = count == 0 ? 0 : x.dim(0) * image.points](const StepCall& call) {
          call.pool.parallel_for(places, items_worth_a_thread(image.channels * 64),
                                 [&](std::int64_t begin, std::int64_t end) {
                                   for (std::int64_t p = begin; p < end; ++p) {
                                     sample(image, p, call.input<float>(0), call.input<float>(1),
                                            call.output<float>(0));
                                   }
                                 });
          return Status::ok();
        });
  }

 private:
  struct Image {
    std::size_t rank = 0;
    std::int64_t channels = 0, points = 0;  // of the grid, for one image
    std::int64_t extents[kMaxSampledAxes] = {1, 1, 1};
  };

  // All channels at place `p` of all images' places; the grid has the last dimension first.
  void sample(const Image& image, std::int64_t p, const float* x, const float* grid,
              float* y) const {
    const float* const place = grid + p * static_cast<std::int64_t>(image.rank);
    const std::int64_t batch = p / image.points;
    SampleTaps taps[kMaxSampledAxes];
    for (std::size_t d = 0; d < image.rank; ++d) {
      const std::size_t at = kMaxSampledAxes - image.rank + d;
      taps[at] = taps_at(place[image.rank - 1 - d], image.extents[at]);
    }
    const std::int64_t plane = image.extents[0] * image.extents[1] * image.extents[2];
    const float* from = x + batch * image.channels * plane;
    float* const to = y + batch * image.channels * image.points + p % image.points;
    for (std::int64_t c = 0; c < image.channels; ++c, from += plane) {
      float sum = 0.0F;
      for (int i = 0; i < taps[0].count; ++i) {
        for (int j = 0; j < taps[1].count; ++j) {
          for (int k = 0; k < taps[2].count; ++k) {
            const float weight = taps[0].weights[i] * taps[1].weights[j] * taps[2].weights[k];
            const std::int64_t at[3] = {taps[0].first + i, taps[1].first + j, taps[2].first + k};
            sum += weight * value(from, at, image.extents);
          }
        }
      }
      to[c * image.points] = sum;
    }
  }

  SampleTaps taps_at(float g, std::int64_t extent) const {
    const auto size = static_cast<float>(extent);
    float x =
        align_corners_ ? (g + 1.0F) / 2.0F * (size - 1.0F) : ((g + 1.0F) * size - 1.0F) / 2.0F;
    // The cubic kernel reaches past the border wherever it stands: there elements are moved, not x.
    const bool moves = mode_ != SampleMode::cubic;
    if (moves && padding_ == Padding::border) x = std::clamp(x, 0.0F, size - 1.0F);
    if (moves && padding_ == Padding::reflection) x = bounced(x, size);
    if (!(std::fabs(x) < 0x1p30F)) x = -0x1p20F;  // NaN or far away: outside
    SampleTaps t;
    if (mode_ == SampleMode::nearest) {
      t.first = static_cast<std::int64_t>(std::nearbyint(x));
      return t;
    }
    const float below = std::floor(x), part = x - below;
    t.first = static_cast<std::int64_t>(below);
    if (mode_ == SampleMode::linear) {
      t.count = 2;
      t.weights[0] = 1.0F - part;
      t.weights[1] = part;
      return t;
    }
    --t.first;
    t.count = 4;
    for (int k = 0; k < 4; ++k) t.weights[k] = cubic(part + 1.0F - static_cast<float>(k));
    return t;
  }

  float bounced(float x, float size) const {
    return align_corners_ ? reflected(x, 0.0F, size - 1.0F) : reflected(x, -0.5F, size - 0.5F);
  }

  float value(const float* from, const std::int64_t* at, const std::int64_t* extents) const {
    std::int64_t place = 0;
    for (std::size_t d = 0; d < kMaxSampledAxes; ++d) {
      std::int64_t i = at[d];
      if (i < 0 || i >= extents[d]) {
        if (padding_ == Padding::zeros) return 0.0F;
        if (padding_ == Padding::reflection) {
          const auto size = static_cast<float>(extents[d]);
          i = static_cast<std::int64_t>(bounced(static_cast<float>(i), size));
        }
        i = std::clamp<std::int64_t>(i, 0, extents[d] - 1);
      }
      place = place * extents[d] + i;
    }
    return from[place];
  }

  SampleMode mode_;
  Padding padding_;
  bool align_corners_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_grid_sample(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 2, 2));
  PBATCH_ASSIGN_OR_RETURN(const std::string mode, node.string_attr("mode", "linear"));
  PBATCH_ASSIGN_OR_RETURN(const std::string padding, node.string_attr("padding_mode", "zeros"));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t align, node.int_attr("align_corners", 0));
  const bool linear = mode == "linear" || mode == "bilinear";
  const bool cubic = mode == "cubic" || mode == "bicubic";
  const bool known = padding == "zeros" || padding == "border" || padding == "reflection";
  if ((!linear && !cubic && mode != "nearest") || !known) {
    return Status(ErrorCode::unsupported,
                  "mode '" + mode + "' with padding_mode '" + padding + "' of GridSample",
                  "export the network with others");
  }
  return std::unique_ptr<Op>(new GridSample(linear  ? SampleMode::linear
                                            : cubic ? SampleMode::cubic
                                                    : SampleMode::nearest,
                                            padding == "zeros"    ? Padding::zeros
                                            : padding == "border" ? Padding::border
                                                                  : Padding::reflection,
                                            align != 0));
}

}  // namespace pbatch
