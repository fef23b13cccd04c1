// NonMaxSuppression: per class, the boxes of the best scores that do not overlap a better one.
#include <algorithm>

#include "op/convert.h"
#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

// Corners in order, as areas need them.
struct Box {
  float y1, x1, y2, x2;
};

Box read_box(const float* b, bool center) {
  if (center) {  // x, y of the center, width, height
    return {b[1] - b[3] / 2, b[0] - b[2] / 2, b[1] + b[3] / 2, b[0] + b[2] / 2};
  }
  return {std::min(b[0], b[2]), std::min(b[1], b[3]), std::max(b[0], b[2]), std::max(b[1], b[3])};
}

bool overlaps(const Box& a, const Box& b, float threshold) {
  const float height = std::min(a.y2, b.y2) - std::max(a.y1, b.y1);
  const float width = std::min(a.x2, b.x2) - std::max(a.x1, b.x1);
  if (height <= 0.0F || width <= 0.0F) return false;
  const float common = height * width;
  const float area_a = (a.y2 - a.y1) * (a.x2 - a.x1), area_b = (b.y2 - b.y1) * (b.x2 - b.x1);
  const float both = area_a + area_b - common;
  return area_a > 0.0F && area_b > 0.0F && both > 0.0F && common / both > threshold;
}

struct BoxLimits {
  std::int64_t most = 0;  // boxes per class
  float overlap = 0.0F;
  bool has_score = false;
  float score = 0.0F;
};

Result<float> read_float(const Tensor* t, float fallback) {
  if (t == nullptr || t->size() == 0) return fallback;
  if (t->dtype() != DType::f32 || t->size() != 1) {
    return Status(ErrorCode::shape_mismatch, "a threshold is not one float32",
                  "export the network again");
  }
  return *t->data<float>();
}

class NonMaxSuppression final : public Op {
 public:
  explicit NonMaxSuppression(bool center) : center_(center) {}

  Result<StepPlan> plan(const PlanRequest&) const override {
    return StepPlan::allocating(
        [this](RunContext& context, std::span<const Tensor* const> inputs,
               std::span<Tensor> outputs) { return suppress(context, inputs, outputs); });
  }

 private:
  Status suppress(RunContext& context, std::span<const Tensor* const> inputs,
                  std::span<Tensor> outputs) const {
    const Tensor& boxes = *inputs[0];
    const Tensor& scores = *inputs[1];
    PBATCH_RETURN_IF_ERROR(expect_float(&boxes, "boxes"));
    PBATCH_RETURN_IF_ERROR(expect_float(&scores, "scores"));
    if (boxes.rank() != 3 || boxes.dim(2) != 4 || scores.rank() != 3 ||
        scores.dim(0) != boxes.dim(0) || scores.dim(2) != boxes.dim(1)) {
      return {ErrorCode::shape_mismatch,
              "boxes " + shape_to_string(boxes.shape()) + " do not fit scores " +
                  shape_to_string(scores.shape()),
              "feed the shape that the network was exported for"};
    }
    BoxLimits limits;
    if (const Tensor* most = input_or_null(inputs, 2); most != nullptr && most->size() != 0) {
      PBATCH_ASSIGN_OR_RETURN(limits.most, read_integer(*most, "max_output_boxes_per_class"));
    }
    PBATCH_ASSIGN_OR_RETURN(limits.overlap, read_float(input_or_null(inputs, 3), 0.0F));
    PBATCH_ASSIGN_OR_RETURN(limits.score, read_float(input_or_null(inputs, 4), 0.0F));
    limits.has_score = input_or_null(inputs, 4) != nullptr && inputs[4]->size() != 0;

    std::vector<std::int64_t> chosen;  // batch, class, box
    for (std::int64_t b = 0; b < scores.dim(0); ++b) {
      for (std::int64_t c = 0; c < scores.dim(1); ++c) {
        const float* const of_class =
            scores.data<float>() + (b * scores.dim(1) + c) * scores.dim(2);
        const float* const of_batch = boxes.data<float>() + b * boxes.dim(1) * 4;
        for (const std::int64_t box : choose(of_batch, of_class, boxes.dim(1), limits)) {
          chosen.insert(chosen.end(), {b, c, box});
        }
      }
    }
    const auto count = static_cast<std::int64_t>(chosen.size() / 3);
    PBATCH_ASSIGN_OR_RETURN(outputs[0], context.allocate(DType::i64, {count, 3}));
    std::copy(chosen.begin(), chosen.end(), outputs[0].mutable_data<std::int64_t>());
    return Status::ok();
  }

  std::vector<std::int64_t> choose(const float* boxes, const float* scores, std::int64_t count,
                                   const BoxLimits& limits) const {
    std::vector<std::int64_t> order;
    for (std::int64_t i = 0; i < count; ++i) {
      if (!limits.has_score || scores[i] > limits.score) order.push_back(i);
    }
    // A NaN is below all numbers, so that the order is one.
    const auto better = [scores](std::int64_t a, std::int64_t b) {
      if (scores[a] != scores[a]) return false;
      return scores[b] != scores[b] || scores[a] > scores[b];
    };
    std::stable_sort(order.begin(), order.end(), better);
    std::vector<std::int64_t> kept;
    std::vector<Box> kept_boxes;
    for (const std::int64_t i : order) {
      if (static_cast<std::int64_t>(kept.size()) >= limits.most) break;
      const Box box = read_box(boxes + 4 * i, center_);
      const bool covered = std::any_of(kept_boxes.begin(), kept_boxes.end(), [&](const Box& k) {
        return overlaps(box, k, limits.overlap);
      });
      if (covered) continue;
      kept.push_back(i);
      kept_boxes.push_back(box);
    }
    return kept;
  }

  bool center_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_non_max_suppression(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 2, 5));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t center, node.int_attr("center_point_box", 0));
  return std::unique_ptr<Op>(new NonMaxSuppression(center != 0));
}

}  // namespace pbatch
