// Which step a node becomes.
#include <algorithm>
#include <string_view>

#include "integer/builder.h"

namespace pbatch {
namespace {

// Functions of one number, made tables by the float operator itself.
constexpr std::string_view kUnary[] = {
    "Sigmoid",    "Tanh",        "Exp",       "Log",       "Sqrt",
    "Abs",        "Neg",         "Erf",       "Gelu",      "Swish",
    "Mish",       "HardSigmoid", "HardSwish", "Softplus",  "Softsign",
    "Elu",        "Selu",        "Celu",      "LeakyRelu", "ThresholdedRelu",
    "Reciprocal", "Clip",        "Floor",     "Ceil",      "Round",
    "Sin",        "Cos",         "Pow",       "Sign",      "Atan"};

}  // namespace

Status IntegerBuilder::build_node(std::size_t n) {
  const Node& node = graph_.nodes[n];
  if (within_magnitudes_.count(n) != 0) return Status::ok();
  if (const auto pair = magnitudes_.find(n); pair != magnitudes_.end()) {
    return build_magnitude(node, pair->second.first, pair->second.second);
  }
  const std::string& op = node.op_type;
  if (node.domain == kPbatchDomain) {
    if (op == "BitLinear") return build_linear(node);
    if (op == "Linear") return build_float_linear(node);
    if (op == "BitConv" || op == "Conv") return build_convolution(node);
    if (op == "BitGather") return build_lookup(node);
    if (op == "BitRecurrent" || op == "Recurrent") return build_recurrent(node);
  } else if (node.domain.empty()) {
    if (op == "Conv") return build_convolution(node);
    if (op == "Add") return build_binary(node, PB_ADD, false);
    if (op == "Sub") return build_binary(node, PB_ADD, true);
    if (op == "Mul") return build_binary(node, PB_MULTIPLY, false);
    if (op == "Div") return build_divide(node);
    if (op == "Max" || op == "Min") return build_binary(node, op == "Max" ? PB_MAX : PB_MIN, false);
    if (op == "Pow" && is_two(constant(node, 1))) return build_binary(node, PB_MULTIPLY, false);
    if (op == "Sqrt") return build_sqrt(node);
    if (op == "Relu") return build_relu(node);
    if (op == "MaxPool" || op == "AveragePool") return build_pool(node, op == "AveragePool");
    if (op == "GlobalAveragePool" || op == "GlobalMaxPool" || op == "ReduceMean" ||
        op == "ReduceSum" || op == "ReduceMax") {
      return build_reduce(node);
    }
    if (op == "Softmax") return build_softmax(node);
    if (op == "LayerNormalization") return build_layer_norm(node);
    if (op == "MatMul") return build_matmul(node);
    if (op == "Concat") return build_concat(n);
    if (op == "Gather" && constant(node, 0) != nullptr) return build_lookup(node);
    const bool is_unary = std::find(std::begin(kUnary), std::end(kUnary), op) != std::end(kUnary);
    if (is_unary && is_float(node.inputs[0])) return build_unary(n);
  }
  if (only_moves(node)) return build_movement(n);
  return missing(node, "there is none for this operator");
}

}  // namespace pbatch
