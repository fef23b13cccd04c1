#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "graph/onnx_dtype.h"
#include "graph/passes.h"
#include "graph/rewrite.h"
#include "graph/subgraphs.h"

namespace pbatch {
namespace {

bool is_product(const Node& node) {
  return is_onnx(node, "MatMulInteger") || is_onnx(node, "ConvInteger");
}

std::int64_t code_at(const Tensor& t, std::int64_t i) {
  return t.dtype() == DType::u8 ? std::int64_t{t.data<std::uint8_t>()[i]}
                                : std::int64_t{t.data<std::int8_t>()[i]};
}

bool is_byte(const Tensor& t) { return t.dtype() == DType::u8 || t.dtype() == DType::i8; }

class Undo {
 public:
  explicit Undo(Graph& graph)
      : graph_(graph),
        uses_(graph),
        constants_(graph),
        consumers_(graph.consumers()),
        producers_(graph.producers()) {}

  Status run() {
    find_candidates();
    while (drop_one()) {
    }
    for (Node& node : graph_.nodes) {
      if (is_product(node) && quantizer_of(input_or_none(node, 0)) >= 0) {
        PBATCH_RETURN_IF_ERROR(rewrite_product(node));
      } else if (is_onnx(node, "DequantizeLinear") && quantizer_of(node.inputs[0]) >= 0) {
        node.inputs = {source_of(node.inputs[0])};
        make_identity(node);
      }
    }
    return replace_scales();
  }

 private:
  const Node& node_at(std::int32_t i) const { return graph_.nodes[static_cast<std::size_t>(i)]; }
  const std::vector<std::int32_t>& users(ValueId id) const {
    return consumers_[static_cast<std::size_t>(id)];
  }

  // The quantizer, among those that go, whose codes `id` is; else -1.
  std::int32_t quantizer_of(ValueId id) const {
    return id == kNoValue ? -1 : quantizer_[static_cast<std::size_t>(id)];
  }
  ValueId source_of(ValueId codes) const { return node_at(quantizer_of(codes)).inputs[0]; }

  void find_candidates() {
    quantizer_.assign(graph_.values.size(), -1);
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
      const Node& node = graph_.nodes[n];
      if (!is_onnx(node, "DynamicQuantizeLinear") || node.inputs.size() != 1 ||
          node.inputs[0] == kNoValue || node.outputs.size() != 3 || node.outputs[0] == kNoValue) {
        continue;
      }
      quantizer_[static_cast<std::size_t>(node.outputs[0])] = static_cast<std::int32_t>(n);
    }
  }

  // Takes one quantizer off whose codes something else sees.
  bool drop_one() {
    for (std::int32_t& n : quantizer_) {
      if (n < 0 || can_go(node_at(n))) continue;
      n = -1;
      return true;
    }
    return false;
  }

  bool can_go(const Node& quantizer) const {
    const ValueId codes = quantizer.outputs[0], zero = quantizer.outputs[2];
    for (const ValueId id : quantizer.outputs) {
      if (id != kNoValue && uses_.is_output(id)) return false;
    }
    const auto takes = [&](std::int32_t n) { return user_can_change(node_at(n), codes, zero); };
    return std::all_of(users(codes).begin(), users(codes).end(), takes) &&
           (zero == kNoValue || std::all_of(users(zero).begin(), users(zero).end(), takes));
  }

  // Whether the node reads `codes` with the zero point `zero`, and can read floats as well.
  bool user_can_change(const Node& node, ValueId codes, ValueId zero) const {
    if (is_onnx(node, "DequantizeLinear")) {
      const std::int32_t n = quantizer_of(node.inputs[0]);
      return n >= 0 && node.inputs.size() >= 2 && node.inputs[1] == node_at(n).outputs[1] &&
             node.inputs[0] == codes && input_or_none(node, 2) == zero;
    }
    if (!is_product(node)) return false;
    const bool reads = node.inputs[0] == codes || input_or_none(node, 1) == codes;
    return reads && operand_can_change(node, 0) && operand_can_change(node, 1) &&
           result_is_cast(node);
  }

  bool operand_can_change(const Node& product, std::size_t i) const {
    const ValueId id = input_or_none(product, i), zero = input_or_none(product, i + 2);
    const std::int32_t n = quantizer_of(id);
    if (n >= 0) return zero == node_at(n).outputs[2];
    if (i == 0) return false;
    const Tensor* codes = graph_.constant(id);
    if (codes == nullptr || !is_byte(*codes)) return false;
    if (zero == kNoValue) return true;
    const Tensor* zeros = graph_.constant(zero);
    return zeros != nullptr && zeros->dtype() == codes->dtype() &&
           (zeros->size() == 1 || (zeros->rank() == 1 && zeros->size() == channels(product)));
  }

  // Length of the axis of the weights that per-channel zero points belong to.
  std::int64_t channels(const Node& product) const {
    const Tensor& codes = *graph_.constant(product.inputs[1]);
    if (codes.rank() == 0) return 0;
    return is_onnx(product, "ConvInteger") ? codes.dim(0) : codes.shape().back();
  }

  bool is_cast_to(const Node& node, DType type) const {
    const Result<std::int64_t> to = node.int_attr("to", 0);
    return is_onnx(node, "Cast") && to && *to == dtype_to_onnx(type);
  }

  // Whether all that read the integers turn them into floats: at once, or after adding a bias.
  bool result_is_cast(const Node& node) const {
    if (node.outputs.size() != 1 || uses_.is_output(node.outputs[0])) return false;
    const auto& after = users(node.outputs[0]);
    return std::all_of(after.begin(), after.end(), [&](std::int32_t n) {
      const Node& next = node_at(n);
      return is_cast_to(next, DType::f32) || (is_product(node) && adds_rounded_bias(next, node));
    });
  }

  bool adds_rounded_bias(const Node& add, const Node& product) const {
    if (!is_onnx(add, "Add") || add.inputs.size() != 2) return false;
    const ValueId bias = bias_of(add, product);
    if (bias == product.outputs[0]) return false;
    const RoundedBias rounded = rounding_of(bias);
    return !rounded.nodes.empty() && is_divided_by_scales(rounded.of, product) &&
           result_is_cast(add);
  }

  static ValueId bias_of(const Node& add, const Node& product) {
    return add.inputs[add.inputs[0] == product.outputs[0] ? 1 : 0];
  }

  // What makes integers of a bias of floats.
  struct RoundedBias {
    std::vector<std::int32_t> nodes;  // a Cast to int32 and the rounding before it; empty: neither
    ValueId of = kNoValue;            // the floats
  };

  // Follows the bias up through changes of its shape, as long as nothing else reads it.
  RoundedBias rounding_of(ValueId bias) const {
    RoundedBias rounded;
    while (bias != kNoValue && uses_.sole_consumer(bias) >= 0) {
      const std::int32_t n = producers_[static_cast<std::size_t>(bias)];
      if (n < 0) break;
      const Node& node = node_at(n);
      const bool is_cast = !rounded.nodes.empty();
      const bool goes_on = is_cast ? is_onnx(node, "Floor") || is_onnx(node, "Round")
                                   : is_onnx(node, "Reshape") || is_onnx(node, "Unsqueeze");
      if (!goes_on && (is_cast || !is_cast_to(node, DType::i32))) break;
      if (is_cast || !goes_on) rounded.nodes.push_back(n);
      bias = rounded.of = node.inputs[0];
    }
    return rounded;
  }

  // Whether the bias is in steps of the product: divided by the scale of each operand that was
  // quantized while running. These scales become 1, there as behind the product.
  bool is_divided_by_scales(ValueId bias, const Node& product) const {
    const std::int32_t n = producers_[static_cast<std::size_t>(bias)];
    if (n < 0 || !is_onnx(node_at(n), "Div")) return false;
    std::vector<ValueId> factors{node_at(n).inputs[1]};
    // A chain of squares would have 2^n factors; scales are few.
    constexpr std::size_t kMaxFactors = 16;
    for (std::size_t i = 0; i < factors.size() && factors.size() < kMaxFactors; ++i) {
      const std::int32_t maker = producers_[static_cast<std::size_t>(factors[i])];
      if (maker < 0 || !is_onnx(node_at(maker), "Mul")) continue;
      for (const ValueId factor : node_at(maker).inputs) factors.push_back(factor);
    }
    for (const std::size_t operand : {0, 1}) {
      const std::int32_t quantizer = quantizer_of(product.inputs[operand]);
      if (quantizer < 0) continue;
      const ValueId scale = node_at(quantizer).outputs[1];
      if (std::count(factors.begin(), factors.end(), scale) != 1) return false;
    }
    return true;
  }

  Status rewrite_product(Node& node) {
    const bool conv = is_onnx(node, "ConvInteger");
    const ValueId x = source_of(node.inputs[0]);
    ValueId w = kNoValue;
    if (quantizer_of(node.inputs[1]) >= 0) {
      w = source_of(node.inputs[1]);
    } else {
      PBATCH_ASSIGN_OR_RETURN(w, float_weights(node));
    }
    for (const std::int32_t n : users(node.outputs[0])) {
      Node& after = graph_.nodes[static_cast<std::size_t>(n)];
      is_onnx(after, "Add") ? leave_bias_float(after, node) : make_identity(after);
    }
    node.inputs = {x, w};
    node.op_type = conv ? "Conv" : "MatMul";
    return Status::ok();
  }

  // The sum of floats, and of a bias that is not rounded.
  void leave_bias_float(const Node& add, const Node& product) {
    for (const std::int32_t n : rounding_of(bias_of(add, product)).nodes) {
      make_identity(graph_.nodes[static_cast<std::size_t>(n)]);
    }
    for (const std::int32_t n : users(add.outputs[0])) {
      make_identity(graph_.nodes[static_cast<std::size_t>(n)]);
    }
  }

  static void make_identity(Node& node) {
    node.op_type = "Identity";
    node.attributes.clear();
  }

  Result<ValueId> float_weights(const Node& product) {
    const Tensor codes = *graph_.constant(product.inputs[1]);
    const Tensor* zeros = graph_.constant(input_or_none(product, 3));
    const std::int64_t count = zeros != nullptr ? zeros->size() : 1;
    const bool conv = is_onnx(product, "ConvInteger");
    const std::int64_t run = conv && count > 1 ? codes.size() / count : 1;
    PBATCH_ASSIGN_OR_RETURN(Tensor floats, Tensor::create(DType::f32, codes.shape()));
    for (std::int64_t i = 0; i < codes.size(); ++i) {
      const std::int64_t zero = zeros != nullptr ? code_at(*zeros, i / run % count) : 0;
      floats.mutable_data<float>()[i] = static_cast<float>(code_at(codes, i) - zero);
    }
    const std::string name = graph_.values[static_cast<std::size_t>(product.inputs[1])].name;
    return constants_.add(name + "_float", std::move(floats));
  }

  // A scale of codes that are floats now is 1.
  Status replace_scales() {
    std::vector<bool> dead(graph_.nodes.size(), false);
    for (const std::int32_t n : quantizer_) {
      if (n < 0) continue;
      dead[static_cast<std::size_t>(n)] = true;
      const ValueId scale = node_at(n).outputs[1];
      if (scale == kNoValue) continue;
      PBATCH_ASSIGN_OR_RETURN(Tensor one, Tensor::create(DType::f32, {}));
      *one.mutable_data<float>() = 1.0F;
      graph_.values[static_cast<std::size_t>(scale)].constant = std::move(one);
    }
    erase_nodes(graph_, dead);
    return Status::ok();
  }

  Graph& graph_;
  const Uses uses_;
  NewConstants constants_;
  const std::vector<std::vector<std::int32_t>> consumers_;
  const std::vector<std::int32_t> producers_;
  std::vector<std::int32_t> quantizer_;  // by the value of its codes; -1: none, or it stays
};

}  // namespace

Status undo_dynamic_quantization(Graph& graph) {
  PBATCH_RETURN_IF_ERROR(change_subgraphs(graph, undo_dynamic_quantization));
  return Undo(graph).run();
}

}  // namespace pbatch
