// BatchNormalization as at inference: Y = (X - mean) / sqrt(var + epsilon) * scale + B.
#include <cmath>
#include <vector>

#include "execute/op.h"
#include "execute/ops/float_checks.h"
#include "execute/ops/node_checks.h"

namespace pbatch {
namespace {

class BatchNormalization final : public Op {
 public:
  explicit BatchNormalization(float epsilon) : epsilon_(epsilon) {}

  Status run(RunContext& context, std::span<const Tensor* const> inputs,
             std::span<Tensor> outputs) const override {
    static constexpr const char* kNames[] = {"input X", "scale", "B", "mean", "var"};
    const Tensor* in[5];
    for (std::size_t i = 0; i < 5; ++i) {
      in[i] = input_or_null(inputs, i);
      PBATCH_RETURN_IF_ERROR(expect_float(in[i], kNames[i]));
    }
    const Tensor& x = *in[0];
    if (x.rank() == 0) return mismatch(x, "X", *in[1]);
    const std::int64_t channels = x.rank() == 1 ? 1 : x.dim(1);
    for (std::size_t i = 1; i < 5; ++i) {
      if (in[i]->shape() != Shape{channels}) return mismatch(x, kNames[i], *in[i]);
    }
    std::vector<float> factor, offset;
    for (std::int64_t c = 0; c < channels; ++c) {
      const float f = in[1]->data<float>()[c] / std::sqrt(in[4]->data<float>()[c] + epsilon_);
      factor.push_back(f);
      offset.push_back(in[2]->data<float>()[c] - in[3]->data<float>()[c] * f);
    }
    PBATCH_ASSIGN_OR_RETURN(outputs[0], context.allocate(DType::f32, x.shape()));
    if (x.size() == 0) return Status::ok();
    const std::int64_t planes = x.dim(0) * (x.rank() == 1 ? 1 : channels);
    const std::int64_t plane = x.size() / planes;
    const float* const from = x.data<float>();
    float* const to = outputs[0].mutable_data<float>();
    context.pool.parallel_for(planes, 1 + kGrain / plane,
                              [&](std::int64_t begin, std::int64_t end) {
                                for (std::int64_t p = begin; p < end; ++p) {
                                  const auto c = static_cast<std::size_t>(p % channels);
                                  for (std::int64_t i = p * plane; i < (p + 1) * plane; ++i) {
                                    to[i] = from[i] * factor[c] + offset[c];
                                  }
                                }
                              });
    return Status::ok();
  }

 private:
  static constexpr std::int64_t kGrain = 1 << 14;

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
