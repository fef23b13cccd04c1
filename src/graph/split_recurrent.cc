// RNN, LSTM, GRU -> pbatch.Linear for the input part of all steps, pbatch.Recurrent for the rest.
#include <algorithm>
#include <string>
#include <vector>

#include "graph/passes.h"
#include "graph/recurrent_weights.h"
#include "graph/rewrite.h"
#include "graph/subgraphs.h"

namespace pbatch {
namespace {

bool is_recurrent(const Node& node) {
  return is_onnx(node, "RNN") || is_onnx(node, "LSTM") || is_onnx(node, "GRU");
}

// Attributes of the ONNX node that describe the step.
const char* const kStepAttributes[] = {
    "activations", "activation_alpha",    "activation_beta", "clip",  "direction",
    "hidden_size", "linear_before_reset", "input_forget",    "layout"};

class Splitter {
 public:
  explicit Splitter(Graph& graph) : graph_(graph), constants_(graph) {}

  Status split_all() {
    std::vector<Node> nodes = std::move(graph_.nodes);
    graph_.nodes.clear();
    for (Node& node : nodes) {
      if (is_recurrent(node) && weights_are_constant(node)) {
        if (Status s = split(node); !s) return std::move(s).at_node(node.name);
      } else {
        graph_.nodes.push_back(std::move(node));
      }
    }
    return Status::ok();
  }

 private:
  // An input is absent or a float constant.
  bool constant_or_absent(const Node& node, std::size_t i) const {
    return input_or_none(node, i) == kNoValue || float_constant(graph_, node, i) != nullptr;
  }

  bool weights_are_constant(const Node& node) const {
    return float_constant(graph_, node, 1) != nullptr &&
           float_constant(graph_, node, 2) != nullptr && constant_or_absent(node, 3) &&
           (node.op_type != "LSTM" || constant_or_absent(node, 7));
  }

  Tensor constant_or_empty(const Node& node, std::size_t i) const {
    const Tensor* t = float_constant(graph_, node, i);
    return t != nullptr ? *t : Tensor{};
  }

  ValueId new_value(const std::string& name) {
    Value value;
    value.name = name;
    return graph_.add_value(std::move(value));
  }

  Status split(const Node& node) {
    GateTiles gates;
    PBATCH_ASSIGN_OR_RETURN(gates.cell, cell_type_of(node.op_type));
    PBATCH_ASSIGN_OR_RETURN(gates.hidden, node.int_attr("hidden_size", 0));
    PBATCH_ASSIGN_OR_RETURN(const std::int64_t before, node.int_attr("linear_before_reset", 0));
    PBATCH_ASSIGN_OR_RETURN(const std::string direction, node.string_attr("direction", "forward"));
    PBATCH_ASSIGN_OR_RETURN(const std::int64_t layout, node.int_attr("layout", 0));
    gates.linear_before_reset = before != 0;
    const int directions = direction == "bidirectional" ? 2 : 1;
    // Copies that share their storage: adding values moves the graph's.
    const Tensor w = *float_constant(graph_, node, 1), r = *float_constant(graph_, node, 2);
    const Tensor b = constant_or_empty(node, 3);
    const Tensor p = gates.cell == CellType::lstm ? constant_or_empty(node, 7) : Tensor{};
    const OnnxRecurrentWeights weights{&w, &r, b.size() != 0 ? &b : nullptr,
                                       p.size() != 0 ? &p : nullptr};
    // Attributes and shapes that do not fit are the operator's to report, which knows how.
    if (gates.hidden < 1 || layout < 0 || layout > 1 ||
        !check_recurrent_weights(weights, gates, directions)) {
      graph_.nodes.push_back(node);
      return Status::ok();
    }
    std::vector<std::vector<ValueId>> made(node.outputs.size());
    for (int d = 0; d < directions; ++d) {
      PBATCH_ASSIGN_OR_RETURN(const DirectionWeights tiled, tile_direction(weights, gates, d));
      add_direction(node, tiled, d, directions, made);
    }
    if (directions == 2) {
      // Y [T, D, B, H] or [B, T, D, H]; the states [D, B, H] or [B, D, H].
      for (std::size_t i = 0; i < made.size(); ++i) {
        if (node.outputs[i] != kNoValue)
          join(node, i, layout == 1 ? (i == 0 ? 2 : 1) : i == 0, made[i]);
      }
    }
    return Status::ok();
  }

  void add_direction(const Node& node, const DirectionWeights& tiled, int d, int directions,
                     std::vector<std::vector<ValueId>>& made) {
    const std::string suffix = d == 1 ? "_reverse" : "";
    Node input;
    input.name = node.name + "/input" + suffix;
    input.inputs = {node.inputs[0], constants_.add(input.name + ".W", tiled.w),
                    constants_.add(input.name + ".B", tiled.bias)};
    const ValueId xw = new_value(input.name + ".XW");
    input.outputs = {xw};
    make_pbatch(graph_, input, "Linear");
    graph_.nodes.push_back(std::move(input));

    Node layer;
    layer.name = node.name + "/recurrent" + suffix;
    const auto optional = [&](const Tensor& t, const char* what) {
      return t.size() == 0 ? kNoValue : constants_.add(layer.name + what, t);
    };
    const bool lstm = node.op_type == "LSTM";
    layer.inputs = {xw,
                    constants_.add(layer.name + ".R", tiled.r),
                    optional(tiled.r_bias, ".Rb"),
                    input_or_none(node, 4),
                    input_or_none(node, 5),
                    lstm ? input_or_none(node, 6) : kNoValue,
                    optional(tiled.peephole, ".P")};
    for (const char* name : kStepAttributes) {
      const auto it = node.attributes.find(name);
      if (it != node.attributes.end()) layer.attributes[name] = it->second;
    }
    std::string cell = node.op_type;
    std::transform(cell.begin(), cell.end(), cell.begin(),
                   [](char c) { return static_cast<char>(c - 'A' + 'a'); });
    layer.attributes["cell"] = cell;
    layer.attributes["direction_index"] = std::int64_t{d};
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      const ValueId whole = node.outputs[i];
      const ValueId part = directions == 1 || whole == kNoValue
                               ? whole
                               : new_value(layer.name + ".Y" + std::to_string(i));
      layer.outputs.push_back(part);
      made[i].push_back(part);
    }
    make_pbatch(graph_, layer, "Recurrent");
    graph_.nodes.push_back(std::move(layer));
  }

  void join(const Node& node, std::size_t output, int axis, const std::vector<ValueId>& parts) {
    Node concat;
    concat.name = node.name + "/join" + std::to_string(output);
    concat.op_type = "Concat";
    concat.opset = node.opset;
    concat.inputs = parts;
    concat.outputs = {node.outputs[output]};
    concat.attributes["axis"] = std::int64_t{axis};
    graph_.nodes.push_back(std::move(concat));
  }

  Graph& graph_;
  NewConstants constants_;
};

}  // namespace

Status split_recurrent(Graph& graph) {
  PBATCH_RETURN_IF_ERROR(change_subgraphs(graph, split_recurrent));
  if (Status s = Splitter(graph).split_all(); !s) return std::move(s).in_file(graph.source_file);
  return Status::ok();
}

}  // namespace pbatch
