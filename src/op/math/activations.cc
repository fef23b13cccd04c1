// Activations of cheap arithmetic. A NaN stays a NaN in all of them.
#include "op/math/unary.h"
#include "op/node_checks.h"

namespace pbatch {
namespace {

struct Relu {
  template <class T>
  static T apply(T x, const UnaryParams&) {
    return x < T{0} ? T{0} : x;
  }
};

struct LeakyRelu {
  static float apply(float x, const UnaryParams& p) { return x < 0.0F ? p.alpha * x : x; }
};

struct HardSigmoid {
  static float apply(float x, const UnaryParams& p) {
    const float y = p.alpha * x + p.beta;
    return y < 0.0F ? 0.0F : y > 1.0F ? 1.0F : y;
  }
};

struct ThresholdedRelu {
  static float apply(float x, const UnaryParams& p) { return x <= p.alpha ? 0.0F : x; }
};

// alpha: "lambd"; beta: "bias".
struct Shrink {
  static float apply(float x, const UnaryParams& p) {
    return x < -p.alpha ? x + p.beta : x > p.alpha ? x - p.beta : x == x ? 0.0F : x;
  }
};

constexpr UnaryTable kRelu = unary_table<Relu>(NumberTypes{});
constexpr UnaryTable kLeakyRelu = unary_table<LeakyRelu>(Types<float>{});
constexpr UnaryTable kHardSigmoid = unary_table<HardSigmoid>(Types<float>{});
constexpr UnaryTable kThresholdedRelu = unary_table<ThresholdedRelu>(Types<float>{});
constexpr UnaryTable kShrink = unary_table<Shrink>(Types<float>{});

}  // namespace

Result<std::unique_ptr<Op>> make_relu(const Graph&, const Node& node) {
  return make_unary(kRelu, node);
}

Result<std::unique_ptr<Op>> make_leaky_relu(const Graph&, const Node& node) {
  UnaryParams params;
  PBATCH_ASSIGN_OR_RETURN(params.alpha, node.float_attr("alpha", 0.01F));
  return make_unary(kLeakyRelu, node, params);
}

Result<std::unique_ptr<Op>> make_hard_sigmoid(const Graph&, const Node& node) {
  UnaryParams params;
  PBATCH_ASSIGN_OR_RETURN(params.alpha, node.float_attr("alpha", 0.2F));
  PBATCH_ASSIGN_OR_RETURN(params.beta, node.float_attr("beta", 0.5F));
  return make_unary(kHardSigmoid, node, params);
}

Result<std::unique_ptr<Op>> make_thresholded_relu(const Graph&, const Node& node) {
  UnaryParams params;
  PBATCH_ASSIGN_OR_RETURN(params.alpha, node.float_attr("alpha", 1.0F));
  return make_unary(kThresholdedRelu, node, params);
}

Result<std::unique_ptr<Op>> make_shrink(const Graph&, const Node& node) {
  UnaryParams params;
  PBATCH_ASSIGN_OR_RETURN(params.alpha, node.float_attr("lambd", 0.5F));
  PBATCH_ASSIGN_OR_RETURN(params.beta, node.float_attr("bias", 0.0F));
  return make_unary(kShrink, node, params);
}

}  // namespace pbatch
