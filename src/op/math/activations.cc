// Activations of cheap arithmetic that CPUs alone have, and Relu, which takes integers, too. A NaN
// stays a NaN in all of them.
#include "kernel/element_functions.h"
#include "op/math/unary.h"
#include "op/node_checks.h"

namespace pbatch {
namespace {

struct Relu {
  template <class T>
  static T apply(T x, const UnaryParams&) {
    return relu_of(x);
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
constexpr UnaryTable kThresholdedRelu = unary_table<ThresholdedRelu>(Types<float>{});
constexpr UnaryTable kShrink = unary_table<Shrink>(Types<float>{});

}  // namespace

Result<std::unique_ptr<Op>> make_relu(const Graph&, const Node& node) {
  return make_unary(kRelu, node);
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
