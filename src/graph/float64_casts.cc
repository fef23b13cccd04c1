#include "graph/float64_casts.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "graph/onnx_dtype.h"
#include "graph/rewrite.h"
#include "graph/subgraphs.h"

namespace pbatch {
namespace {

// Operators whose results are not of the type of their inputs.
constexpr std::string_view kOtherType[] = {"ArgMax",         "ArgMin",  "Equal", "Greater",
                                           "GreaterOrEqual", "IsInf",   "IsNaN", "Less",
                                           "LessOrEqual",    "NonZero", "Shape", "Size"};

class Marker {
 public:
  // `wide`: whether each input of the graph is known to be float64.
  Status mark(Graph& graph, const std::vector<bool>& inputs) {
    std::vector<bool> wide(graph.values.size(), false);
    for (std::size_t v = 0; v < wide.size(); ++v) wide[v] = graph.values[v].dtype == DType::f64;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (inputs[i]) wide[static_cast<std::size_t>(graph.inputs[i])] = true;
    }
    const auto is_wide = [&](ValueId id) {
      return id != kNoValue && wide[static_cast<std::size_t>(id)];
    };
    for (Node& node : graph.nodes) {
      PBATCH_RETURN_IF_ERROR(mark_subgraphs(node, is_wide));
      const bool any = std::any_of(node.inputs.begin(), node.inputs.end(), is_wide);
      bool becomes = any && std::find(std::begin(kOtherType), std::end(kOtherType), node.op_type) ==
                                std::end(kOtherType);
      if (is_onnx(node, "Cast") || is_onnx(node, "CastLike")) {
        const bool from = is_wide(input_or_none(node, 0));
        if (node.op_type == "Cast") {
          PBATCH_ASSIGN_OR_RETURN(const std::int64_t to, node.int_attr("to", 0));
          becomes = to == dtype_to_onnx(DType::f64);
        } else {
          becomes = is_wide(input_or_none(node, 1));
        }
        if (from != becomes) node.attributes[kFloat64Cast] = std::int64_t{1};
      }
      for (const ValueId id : node.outputs) {
        if (id != kNoValue) wide[static_cast<std::size_t>(id)] = becomes;
      }
    }
    return Status::ok();
  }

 private:
  template <class IsWide>
  Status mark_subgraphs(Node& node, const IsWide& is_wide) {
    const std::size_t own = own_inputs(node);
    return change_subgraphs(node, [&](Graph& subgraph) {
      std::vector<bool> inputs(subgraph.inputs.size(), false);
      const std::size_t first = inputs.size() - node.captures;
      for (std::size_t i = 0; i < node.captures; ++i) {
        inputs[first + i] = is_wide(node.inputs[own + i]);
      }
      return mark(subgraph, inputs);
    });
  }
};

}  // namespace

Status mark_float64_casts(Graph& graph) { return Marker().mark(graph, {}); }

}  // namespace pbatch
