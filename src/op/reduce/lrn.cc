// LRN: each element over a power of the squares of its neighbours across channels.
#include <algorithm>
#include <cmath>

#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

struct LrnSettings {
  float alpha = 1e-4F, beta = 0.75F, bias = 1.0F;
  std::int64_t size = 1;
};

// Plane `p` of all images' channels.
void normalize(const LrnSettings& set, std::int64_t channels, std::int64_t plane, std::int64_t p,
               const float* x, float* y) {
  const std::int64_t c = p % channels;
  const std::int64_t first = std::max<std::int64_t>(0, c - (set.size - 1) / 2);
  const std::int64_t last = std::min(channels - 1, c + set.size / 2);
  const float* const from = x + (p - c) * plane;
  float* const to = y + p * plane;
  std::fill(to, to + plane, 0.0F);
  for (std::int64_t k = first; k <= last; ++k) {
    const float* const other = from + k * plane;
    for (std::int64_t i = 0; i < plane; ++i) to[i] += other[i] * other[i];
  }
  const float factor = set.alpha / static_cast<float>(set.size);
  for (std::int64_t i = 0; i < plane; ++i) {
    to[i] = from[c * plane + i] * std::pow(set.bias + factor * to[i], -set.beta);
  }
}

class Lrn final : public Op {
 public:
  explicit Lrn(LrnSettings settings) : set_(settings) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor& x = *request.inputs[0];
    PBATCH_RETURN_IF_ERROR(expect_float(&x, "input X"));
    if (x.rank() < 2) {
      return Status(ErrorCode::shape_mismatch, "LRN of an input without channels",
                    "feed [N, C, ...]");
    }
    const std::int64_t channels = x.dim(1), plane = product_of(x.shape(), 2, x.rank());
    const std::int64_t planes = x.size() == 0 ? 0 : x.dim(0) * channels;
    return StepPlan::of(
        {DType::f32, x.shape()}, [set = set_, channels, plane, planes](const StepCall& call) {
          call.pool.parallel_for(planes, 1 + (1 << 12) / std::max<std::int64_t>(plane, 1),
                                 [&](std::int64_t begin, std::int64_t end) {
                                   for (std::int64_t p = begin; p < end; ++p) {
                                     normalize(set, channels, plane, p, call.input<float>(0),
                                               call.output<float>(0));
                                   }
                                 });
          return Status::ok();
        });
  }

 private:
  LrnSettings set_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_lrn(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 1, 1));
  LrnSettings set;
  PBATCH_ASSIGN_OR_RETURN(set.alpha, node.float_attr("alpha", 1e-4F));
  PBATCH_ASSIGN_OR_RETURN(set.beta, node.float_attr("beta", 0.75F));
  PBATCH_ASSIGN_OR_RETURN(set.bias, node.float_attr("bias", 1.0F));
  PBATCH_ASSIGN_OR_RETURN(set.size, node.int_attr("size", 0));
  if (set.size < 1 || set.size > (std::int64_t{1} << 31)) {
    return Status(ErrorCode::malformed, "size is " + std::to_string(set.size),
                  "export the network again");
  }
  return std::unique_ptr<Op>(new Lrn(set));
}

}  // namespace pbatch
