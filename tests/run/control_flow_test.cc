// Bit-layers in subgraphs.
#include "tests/support/control_flow.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "format/model_file.h"
#include "graph/subgraphs.h"
#include "pbatch/quantize.h"
#include "pbatch/session.h"
#include "quantize/quantize_graph.h"
#include "run/simplify.h"

namespace pbatch {
namespace {

using namespace testing;

// A network whose branches multiply x by the same matrix; one has a second layer.
ModelBuilder weights_in_branches() {
  ModelBuilder builder;
  free_dims(builder.input("x", {}), 2);
  builder.input("c", {}, kBool);
  free_dims(builder.output("y", {}), 2);
  builder.floats("w", {64, 48}, random_floats(64 * 48, 1));
  onnx::NodeProto& node = builder.node("If", {"c"}, {"y"}, "choice");
  GraphFiller then_branch = subgraph(node, "then_branch");
  then_branch.node("MatMul", {"x", "w"}, {"h"}, "fc");
  then_branch.node("Relu", {"h"}, {"r"}, "relu");
  then_branch.floats("w2", {48, 48}, random_floats(48 * 48, 2));
  then_branch.floats("k", {48}, random_floats(48, 4));
  then_branch.node("MatMul", {"r", "w2"}, {"o"}, "fc2");
  then_branch.node("Mul", {"o", "k"}, {"p"}, "scale");
  free_dims(then_branch.output("p"), 2);
  GraphFiller else_branch = subgraph(node, "else_branch");
  else_branch.node("MatMul", {"x", "w"}, {"h"}, "fc");
  free_dims(else_branch.output("h"), 2);
  return builder;
}

// The then branch, or the other, as a network of its own.
ModelBuilder branch_alone(bool then_branch) {
  const ModelBuilder whole = weights_in_branches();
  ModelBuilder builder = whole;
  onnx::GraphProto& graph = builder.graph();
  const onnx::GraphProto& branch = whole.model.graph().node(0).attribute(then_branch ? 0 : 1).g();
  graph.clear_node();
  graph.clear_output();
  graph.mutable_input()->DeleteSubrange(1, 1);
  graph.MergeFrom(branch);
  graph.set_name("test");
  return builder;
}

TEST(ControlFlow, BitLayersInBranches) {
  QuantizeOptions quantize;
  quantize.min_elements = 1;
  const std::string path = write(weights_in_branches());
  Result<Graph> graph = load_model(path);
  ASSERT_TRUE(graph);
  ASSERT_TRUE(simplify(*graph));
  const auto reports = quantize_graph(*graph, quantize);
  ASSERT_TRUE(reports) << reports.status().to_line();
  ASSERT_EQ(reports->size(), 3U);
  const std::string saved_path = temp_path("q.onnx");
  const auto saved = save_model(*graph, saved_path, path);
  ASSERT_TRUE(saved) << saved.status().to_line();

  const Result<Session> stored = Session::load(saved_path);
  ASSERT_TRUE(stored) << stored.status().to_line();
  const Result<Session> made = Session::quantize_in_memory(path, quantize);
  ASSERT_TRUE(made);
  std::set<std::string> names;
  for (const LayerInfo& layer : stored->layers()) names.insert(layer.name);
  EXPECT_EQ(names, (std::set<std::string>{"choice/then/fc", "choice/then/fc2", "choice/else/fc"}));

  // The branches share the matrix w, in the file too: each plane once.
  const auto matrix = [&](const Graph& g, const char* branch) {
    return g.nodes[0].subgraphs.at(branch)->nodes[0].matrix;
  };
  const Result<Graph> again = load_model(saved_path);
  ASSERT_TRUE(again) << again.status().to_line();
  ASSERT_NE(matrix(*again, "then_branch"), nullptr);
  EXPECT_EQ(matrix(*again, "then_branch"), matrix(*again, "else_branch"));
  std::ifstream data(saved->data_path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(data), {}};
  std::size_t first_planes = 0;
  for (std::size_t at = 0; (at = bytes.find("/plane0\":{", at)) != std::string::npos; ++at) {
    ++first_planes;
  }
  EXPECT_EQ(first_planes, 2U);

  const Tensor x = tensor_of({3, 64}, random_floats(3 * 64, 9));
  Precision precision = Precision::bits(4, 16);
  for (const bool c : {true, false}) {
    const std::string branch = c ? "choice/then/" : "choice/else/";
    const Result<Session> alone =
        Session::quantize_in_memory(write(branch_alone(c), "alone.onnx"), quantize);
    ASSERT_TRUE(alone) << alone.status().to_line();
    for (const bool per_layer : {false, true}) {
      Precision inner = precision;
      precision.layers.clear();
      if (per_layer) {
        precision.layers[branch + "fc"] = {2, 8};
        inner.layers["fc"] = {2, 8};
      }
      const auto want = alone->run(std::vector<NamedTensor>{{"x", x}}, inner);
      ASSERT_TRUE(want) << want.status().to_line();
      const std::vector<NamedTensor> inputs{{"x", x}, {"c", boolean(c)}};
      for (const Session* session : {&*stored, &*made}) {
        const auto got = session->run(inputs, precision);
        ASSERT_TRUE(got) << got.status().to_line();
        EXPECT_EQ(values_of((*got)[0]), values_of((*want)[0]));
      }
      inner.layers.clear();
    }
    precision.layers.clear();
  }
  const auto steps = stored->plan(Precision::bits(4, 16));
  ASSERT_TRUE(steps);
  int with_kernel = 0;
  for (const PlanStep& step : *steps) with_kernel += step.weight_bits == 4 ? 1 : 0;
  EXPECT_EQ(with_kernel, 3);
  EXPECT_TRUE(stored->prepare(Precision::f32()));
}

TEST(ControlFlow, BitLayerInALoopIsThatLayerAgainAndAgain) {
  ModelBuilder builder;
  builder.input("x", {1, 40});
  builder.output("y", {1, 40});
  std::vector<float> w = random_floats(40 * 40, 1);
  for (float& v : w) v /= std::sqrt(40.F);
  builder.floats("w", {40, 40}, w);
  builder.initializer("m", {}, kInt64).add_int64_data(6);
  onnx::NodeProto& node = builder.node("Loop", {"m", "", "x"}, {"y"}, "loop");
  GraphFiller body = subgraph(node, "body");
  body.input("round", {}, kInt64);
  body.input("go", {}, kBool);
  body.input("v", {1, 40});
  body.node("MatMul", {"v", "w"}, {"h"}, "fc");
  body.node("Tanh", {"h"}, {"t"});
  body.node("Identity", {"go"}, {"on"});
  body.output("on", {}, kBool);
  body.output("t", {1, 40});
  ModelBuilder step;
  step.input("x", {1, 40});
  step.output("t", {1, 40});
  step.floats("w", {40, 40}, w);
  step.node("MatMul", {"x", "w"}, {"h"}, "fc");
  step.node("Tanh", {"h"}, {"t"});
  QuantizeOptions quantize;
  quantize.min_elements = 1;
  const auto loop = Session::quantize_in_memory(write(builder), quantize);
  const auto once = Session::quantize_in_memory(write(step, "step.onnx"), quantize);
  ASSERT_TRUE(loop && once) << loop.status().to_line() << once.status().to_line();
  ASSERT_EQ(loop->layers().size(), 1U);
  EXPECT_EQ(loop->layers()[0].name, "loop/body/fc");
  for (const int bits : {1, 3, 8}) {
    const Precision precision = Precision::bits(bits, 8);
    Tensor v = tensor_of({1, 40}, random_floats(40, 5));
    const auto got = loop->run(std::vector<NamedTensor>{{"x", v}}, precision);
    ASSERT_TRUE(got) << got.status().to_line();
    for (int i = 0; i < 6; ++i) {
      auto made = once->run(std::vector<NamedTensor>{{"x", v}}, precision);
      ASSERT_TRUE(made);
      v = (*made)[0];
    }
    EXPECT_EQ(values_of((*got)[0]), values_of(v));
  }
}

}  // namespace
}  // namespace pbatch
