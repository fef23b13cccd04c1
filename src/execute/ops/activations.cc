// Activations with attributes, and Relu. A NaN stays a NaN in all of them.
#include <cmath>
#include <type_traits>

#include "execute/ops/node_checks.h"
#include "execute/ops/unary.h"

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

struct Elu {
  static float apply(float x, const UnaryParams& p) {
    return x < 0.0F ? p.alpha * std::expm1(x) : x;
  }
};

// alpha: factor of the exponential part; beta: "gamma", factor of all.
struct Selu {
  static float apply(float x, const UnaryParams& p) {
    return p.beta * (x > 0.0F ? x : p.alpha * std::expm1(x));
  }
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

struct Celu {
  static float apply(float x, const UnaryParams& p) {
    return x < 0.0F ? p.alpha * std::expm1(x / p.alpha) : x;
  }
};

// alpha: "lambd"; beta: "bias".
struct Shrink {
  static float apply(float x, const UnaryParams& p) {
    return x < -p.alpha ? x + p.beta : x > p.alpha ? x - p.beta : x == x ? 0.0F : x;
  }
};

struct Swish {
  static float apply(float x, const UnaryParams& p) { return x / (1.0F + std::exp(-p.alpha * x)); }
};

struct GeluExact {
  static float apply(float x, const UnaryParams&) {
    constexpr float kInverseSqrt2 = 0.70710678118654752F;
    return 0.5F * x * (1.0F + std::erf(x * kInverseSqrt2));
  }
};

struct GeluTanh {
  static float apply(float x, const UnaryParams&) {
    constexpr float kSqrt2OverPi = 0.79788456080286536F;
    return 0.5F * x * (1.0F + std::tanh(kSqrt2OverPi * (x + 0.044715F * x * x * x)));
  }
};

template <class F>
constexpr UnaryTable slow_table() {
  UnaryTable table = unary_table<F>(Types<float>{});
  table.grain = 1 << 12;
  return table;
}

constexpr UnaryTable kRelu = unary_table<Relu>(NumberTypes{});
constexpr UnaryTable kLeakyRelu = unary_table<LeakyRelu>(Types<float>{});
constexpr UnaryTable kElu = slow_table<Elu>();
constexpr UnaryTable kSelu = slow_table<Selu>();
constexpr UnaryTable kHardSigmoid = unary_table<HardSigmoid>(Types<float>{});
constexpr UnaryTable kThresholdedRelu = unary_table<ThresholdedRelu>(Types<float>{});
constexpr UnaryTable kCelu = slow_table<Celu>();
constexpr UnaryTable kShrink = unary_table<Shrink>(Types<float>{});
constexpr UnaryTable kSwish = slow_table<Swish>();
constexpr UnaryTable kGeluExact = slow_table<GeluExact>();
constexpr UnaryTable kGeluTanh = slow_table<GeluTanh>();

}  // namespace

Result<std::unique_ptr<Op>> make_relu(const Graph&, const Node& node) {
  return make_unary(kRelu, node);
}

Result<std::unique_ptr<Op>> make_leaky_relu(const Graph&, const Node& node) {
  UnaryParams params;
  PBATCH_ASSIGN_OR_RETURN(params.alpha, node.float_attr("alpha", 0.01F));
  return make_unary(kLeakyRelu, node, params);
}

Result<std::unique_ptr<Op>> make_elu(const Graph&, const Node& node) {
  UnaryParams params;
  PBATCH_ASSIGN_OR_RETURN(params.alpha, node.float_attr("alpha", 1.0F));
  return make_unary(kElu, node, params);
}

Result<std::unique_ptr<Op>> make_selu(const Graph&, const Node& node) {
  UnaryParams params;
  PBATCH_ASSIGN_OR_RETURN(params.alpha, node.float_attr("alpha", 1.67326319217681884765625F));
  PBATCH_ASSIGN_OR_RETURN(params.beta, node.float_attr("gamma", 1.05070102214813232421875F));
  return make_unary(kSelu, node, params);
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

Result<std::unique_ptr<Op>> make_celu(const Graph&, const Node& node) {
  UnaryParams params;
  PBATCH_ASSIGN_OR_RETURN(params.alpha, node.float_attr("alpha", 1.0F));
  return make_unary(kCelu, node, params);
}

Result<std::unique_ptr<Op>> make_shrink(const Graph&, const Node& node) {
  UnaryParams params;
  PBATCH_ASSIGN_OR_RETURN(params.alpha, node.float_attr("lambd", 0.5F));
  PBATCH_ASSIGN_OR_RETURN(params.beta, node.float_attr("bias", 0.0F));
  return make_unary(kShrink, node, params);
}

Result<std::unique_ptr<Op>> make_swish(const Graph&, const Node& node) {
  UnaryParams params;
  PBATCH_ASSIGN_OR_RETURN(params.alpha, node.float_attr("alpha", 1.0F));
  return make_unary(kSwish, node, params);
}

Result<std::unique_ptr<Op>> make_gelu(const Graph&, const Node& node) {
  PBATCH_ASSIGN_OR_RETURN(const std::string approximate, node.string_attr("approximate", "none"));
  if (approximate == "none") return make_unary(kGeluExact, node);
  if (approximate == "tanh") return make_unary(kGeluTanh, node);
  return Status(ErrorCode::unsupported, "approximate = '" + approximate + "' of Gelu is not known",
                "use 'none' or 'tanh'");
}

}  // namespace pbatch
