// BatchNormalization as at inference: Y = (X - mean) / sqrt(var + epsilon) * scale + B.
#include <algorithm>
#include <cmath>

#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

class BatchNormalization final : public Op {
 public:
  explicit BatchNormalization(float epsilon) : epsilon_(epsilon) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    static constexpr const char* kNames[] = {"input X", "scale", "B", "mean", "var"};
    const Tensor* in[5];
    for (std::size_t i = 0; i < 5; ++i) {
      in[i] = input_or_null(request.inputs, i);
      PBATCH_RETURN_IF_ERROR(expect_float(in[i], kNames[i]));
    }
    const Tensor& x = *in[0];
    if (x.rank() == 0) return mismatch(x, "X", *in[1]);
    const std::int64_t channels = x.rank() == 1 ? 1 : x.dim(1);
    for (std::size_t i = 1; i < 5; ++i) {
      if (in[i]->shape() != Shape{channels}) return mismatch(x, kNames[i], *in[i]);
    }
    Planes planes;
    planes.channels = channels;
    planes.count = x.size() == 0 ? 0 : x.dim(0) * (x.rank() == 1 ? 1 : channels);
    planes.size = x.size() == 0 ? 0 : x.size() / planes.count;
    planes.epsilon = epsilon_;
    StepPlan plan = StepPlan::of({DType::f32, x.shape()}, [planes](const StepCall& call) {
      planes.normalize(call);
      return Status::ok();
    });
    plan.scratch_bytes = 2 * static_cast<std::size_t>(channels) * sizeof(float);
    return std::move(plan).in_place_of(0);
  }

 private:
  static constexpr std::int64_t kGrain = 1 << 14;

  struct Planes {
    std::int64_t channels = 0, count = 0, size = 0;
    float epsilon = 0.0F;

    void normalize(const StepCall& call) const {
      auto* const factor = static_cast<float*>(call.scratch);
      float* const offset = factor + channels;
      for (std::int64_t c = 0; c < channels; ++c) {
        factor[c] = call.input<float>(1)[c] / std::sqrt(call.input<float>(4)[c] + epsilon);
        offset[c] = call.input<float>(2)[c] - call.input<float>(3)[c] * factor[c];
      }
      const float* const from = call.input<float>(0);
      float* const to = call.output<float>(0);
      call.pool.parallel_for(count, 1 + kGrain / std::max<std::int64_t>(1, size),
                             [&](std::int64_t begin, std::int64_t end) {
                               for (std::int64_t p = begin; p < end; ++p) {
                                 const float f = factor[p % channels], o = offset[p % channels];
                                 for (std::int64_t i = p * size; i < (p + 1) * size; ++i) {
                                   to[i] = from[i] * f + o;
                                 }
                               }
                             });
    }
  };

  static Status mismatch(const Tensor& x, const char* name, const Tensor& other) {
    return {ErrorCode::shape_mismatch,
            std::string(name) + " " + shape_to_string(other.shape()) + " does not fit X " +
                shape_to_string(x.shape()),
            "feed the shape that the network was trained on"};
  }

  float epsilon_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_batch_normalization(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 5, 5, 5));
  PBATCH_ASSIGN_OR_RETURN(const float epsilon, node.float_attr("epsilon", 1e-5F));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t training, node.int_attr("training_mode", 0));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t spatial, node.int_attr("spatial", 1));
  bool more_outputs = false;
  for (std::size_t i = 1; i < node.outputs.size(); ++i) more_outputs |= node.outputs[i] != kNoValue;
  if (training != 0 || more_outputs) {
    return Status(ErrorCode::unsupported, "BatchNormalization in training mode is not supported",
                  "export the network for inference");
  }
  if (spatial == 0) {
    return Status(ErrorCode::unsupported,
                  "BatchNormalization with attribute spatial = 0 is not supported",
                  "export the network with opset 9 or later");
  }
  return std::unique_ptr<Op>(new BatchNormalization(epsilon));
}

}  // namespace pbatch
