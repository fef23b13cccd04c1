// Graphs in few lines.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tests/graph/evaluate.h"

namespace pbatch::testing {

class GraphBuilder {
 public:
  GraphBuilder() { graph.opsets[""] = 13; }

  ValueId input(const std::string& name, std::optional<std::vector<Dim>> dims = {}) {
    const ValueId id = value(name, std::move(dims));
    graph.inputs.push_back(id);
    return id;
  }
  ValueId constant(const std::string& name, Shape shape) {
    return constant(name, random_array(std::move(shape), ++seed_));
  }
  ValueId constant(const std::string& name, const Array& array) {
    const ValueId id = value(name, {});
    graph.values.back().constant = to_tensor(array);
    return id;
  }
  ValueId constant(const std::string& name, Tensor tensor) {
    const ValueId id = value(name, {});
    graph.values.back().dtype = tensor.dtype();
    graph.values.back().constant = std::move(tensor);
    return id;
  }
  /// A node with one output, "<name>_out".
  ValueId node(const std::string& op, const std::string& name, std::vector<ValueId> inputs,
               std::map<std::string, Attribute> attributes = {}) {
    const ValueId out = value(name + "_out", {});
    Node made;
    made.name = name;
    made.op_type = op;
    made.opset = 13;
    made.inputs = std::move(inputs);
    made.outputs = {out};
    made.attributes = std::move(attributes);
    graph.nodes.push_back(std::move(made));
    return out;
  }
  void output(ValueId id) { graph.outputs.push_back(id); }

  Graph graph;

 private:
  ValueId value(const std::string& name, std::optional<std::vector<Dim>> dims) {
    Value made;
    made.name = name;
    made.dims = std::move(dims);
    return graph.add_value(std::move(made));
  }
  unsigned seed_ = 0;
};

/// "MatMul Add Relu": the operators in order.
inline std::string ops(const Graph& graph) {
  std::string text;
  for (const Node& node : graph.nodes) {
    if (!text.empty()) text += ' ';
    text += (node.domain.empty() ? "" : node.domain + ".") + node.op_type;
  }
  return text;
}

/// Applies a pass; the graph must stay well formed and compute the same.
inline void expect_same_function(Graph& graph, Status (*pass)(Graph&),
                                 const std::map<std::string, Array>& inputs) {
  const auto before = evaluate(graph, inputs);
  const Status status = pass(graph);
  ASSERT_TRUE(status) << status.to_line();
  const Status sorted = sort_topologically(graph);
  ASSERT_TRUE(sorted) << sorted.to_line();
  expect_near(before, evaluate(graph, inputs));
}

}  // namespace pbatch::testing
