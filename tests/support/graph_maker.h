// Graphs put together by hand, and what a program needs to run.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "run/plan.h"
#include "run/program.h"
#include "tests/support/networks.h"

namespace pbatch::testing {

/// Nodes of opset 17.
class GraphMaker {
 public:
  GraphMaker() { graph_.opsets[""] = 17; }

  ValueId input(const std::string& name) {
    graph_.inputs.push_back(graph_.add_value({.name = name}));
    return graph_.inputs.back();
  }
  ValueId floats(Shape shape, unsigned seed) {
    std::int64_t count = 1;
    for (const std::int64_t d : shape) count *= d;
    return graph_.add_value(
        {.name = "c" + std::to_string(graph_.values.size()),
         .constant =
             tensor_of(std::move(shape), random_floats(static_cast<std::size_t>(count), seed))});
  }
  ValueId integers(const std::vector<std::int64_t>& values) {
    Result<Tensor> t = Tensor::create(DType::i64, {static_cast<std::int64_t>(values.size())});
    std::copy(values.begin(), values.end(), t->mutable_data<std::int64_t>());
    return graph_.add_value({.name = "i" + std::to_string(graph_.values.size()), .constant = *t});
  }
  ValueId add(const std::string& op_type, std::vector<ValueId> inputs,
              std::map<std::string, Attribute> attributes = {}) {
    Node node;
    node.name = op_type + std::to_string(graph_.nodes.size());
    node.op_type = op_type;
    node.opset = 17;
    node.inputs = std::move(inputs);
    node.attributes = std::move(attributes);
    node.outputs = {graph_.add_value({.name = "v" + std::to_string(graph_.values.size())})};
    graph_.nodes.push_back(node);
    return node.outputs[0];
  }
  Graph& graph(std::vector<ValueId> outputs) {
    graph_.outputs = std::move(outputs);
    return graph_;
  }
  Program program(std::vector<ValueId> outputs) {
    graph_.outputs = std::move(outputs);
    Result<Program> program = Program::build(std::move(graph_));
    EXPECT_TRUE(program) << program.status().to_line();
    return std::move(program).value();
  }

 private:
  Graph graph_;
};

struct Lane {
  ThreadPool pool{2};
  BufferPool buffers;
  Precision precision;
  RunContext context{pool, buffers, precision, FloatBackend::openblas};
};

// Every operator by itself, each result in memory of its own.
inline std::vector<Tensor> one_by_one(const Program& program, const std::vector<Tensor>& inputs) {
  Lane lane;
  const Graph& graph = program.graph();
  std::vector<Tensor> values(graph.values.size());
  for (std::size_t v = 0; v < values.size(); ++v) {
    if (graph.values[v].constant) values[v] = *graph.values[v].constant;
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    values[static_cast<std::size_t>(graph.inputs[i])] = inputs[i];
  }
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    std::vector<const Tensor*> in;
    for (const ValueId id : graph.nodes[n].inputs)
      in.push_back(&values[static_cast<std::size_t>(id)]);
    Tensor out;
    EXPECT_TRUE(program.op(n).run(lane.context, in, {&out, 1})) << graph.nodes[n].name;
    values[static_cast<std::size_t>(graph.nodes[n].outputs[0])] = out;
  }
  std::vector<Tensor> outputs;
  for (const ValueId id : graph.outputs) outputs.push_back(values[static_cast<std::size_t>(id)]);
  return outputs;
}

/// The operators of a graph, in order.
inline std::string operators_of(const Graph& graph) {
  std::string all;
  for (const Node& node : graph.nodes) all += (all.empty() ? "" : " ") + node.op_type;
  return all;
}

/// The pass leaves `wanted`, and what the graph computes of x: within `tolerance` of values up to
/// 1, relative above.
inline void expect_same_function(Graph& graph, Status (*pass)(Graph&), const Tensor& x,
                                 const std::string& wanted, double tolerance) {
  const auto run = [&](Graph g) {
    const Result<Program> program = Program::build(std::move(g));
    EXPECT_TRUE(program) << program.status().to_line();
    Lane lane;
    return program->run(lane.context, {&x, 1}).value()[0];
  };
  const Tensor before = run(graph);
  ASSERT_TRUE(pass(graph));
  EXPECT_EQ(operators_of(graph), wanted);
  const Tensor after = run(graph);
  ASSERT_EQ(after.shape(), before.shape());
  for (std::int64_t i = 0; i < before.size(); ++i) {
    const double value = before.data<float>()[i];
    EXPECT_NEAR(after.data<float>()[i], value, tolerance * std::max(1.0, std::fabs(value)));
  }
}

}  // namespace pbatch::testing
