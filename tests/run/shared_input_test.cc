// Matrices that read one tensor: Q, K and V of an attention layer.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <thread>

#include "quantize/quantize_graph.h"
#include "run/program.h"
#include "run/simplify.h"
#include "tests/support/networks.h"

namespace pbatch {
namespace {

using testing::random_floats;
using testing::tensor_of;

constexpr std::int64_t kWidth = 96;

ValueId add_product(Graph& graph, ValueId x, const std::string& name, std::int64_t rows) {
  const auto seed = static_cast<unsigned>(10 + graph.nodes.size());
  const ValueId w = graph.add_value(
      {.name = "w_" + name,
       .constant = tensor_of({kWidth, rows},
                             random_floats(static_cast<std::size_t>(kWidth * rows), seed))});
  const ValueId y =
      graph.add_value({.name = name, .dims = std::vector<Dim>{{-1, "N"}, {rows, ""}}});
  Node node;
  node.name = name;
  node.op_type = "MatMul";
  node.opset = 13;
  node.inputs = {x, w};
  node.outputs = {y};
  graph.nodes.push_back(node);
  return y;
}

// x -> q, k, v; q -> out. Only the outputs named are.
Graph attention_inputs(const std::vector<std::string>& outputs) {
  Graph graph;
  graph.name = "qkv";
  graph.opsets[""] = 13;
  const ValueId x = graph.add_value(
      {.name = "x", .dtype = DType::f32, .dims = std::vector<Dim>{{-1, "N"}, {kWidth, ""}}});
  graph.inputs.push_back(x);
  const ValueId q = add_product(graph, x, "q", kWidth);
  const ValueId ids[] = {q, add_product(graph, q, "out", 20), add_product(graph, x, "k", 64),
                         add_product(graph, x, "v", 33)};
  for (const std::string& name : outputs) {
    for (const ValueId id : ids) {
      if (graph.values[static_cast<std::size_t>(id)].name == name) graph.outputs.push_back(id);
    }
  }
  return graph;
}

Program quantized(const std::vector<std::string>& outputs) {
  Graph graph = attention_inputs(outputs);
  EXPECT_TRUE(simplify(graph).is_ok());
  QuantizeOptions options;
  options.min_elements = 1;
  options.planes = 16;
  EXPECT_TRUE(quantize_graph(graph, options).is_ok());
  Result<Program> program = Program::build(std::move(graph));
  EXPECT_TRUE(program) << program.status().to_line();
  return std::move(program).value();
}

std::vector<std::vector<float>> run_shared(const Program& program, const Precision& precision,
                                           std::int64_t batch) {
  ThreadPool pool(2);
  BufferPool buffers;
  RunContext context{pool, buffers, precision, FloatBackend::onednn};
  const Tensor x =
      tensor_of({batch, kWidth}, random_floats(static_cast<std::size_t>(batch * kWidth), 5));
  const auto outputs = program.run(context, {&x, 1});
  EXPECT_TRUE(outputs) << outputs.status().to_line();
  std::vector<std::vector<float>> values;
  if (!outputs) return values;
  for (const Tensor& t : *outputs) {
    values.emplace_back(t.span<float>().begin(), t.span<float>().end());
  }
  return values;
}

// The nodes that take packed vectors from a place that others know; the first one packs.
std::map<std::string, int> packed_places(const Program& program) {
  ThreadPool pool(2);
  BufferPool buffers;
  const Precision precision = Precision::bits(4, 8);
  RunContext context{pool, buffers, precision, FloatBackend::onednn};
  const Tensor x = tensor_of({2, kWidth}, random_floats(2 * kWidth, 5));
  const auto plan = program.plan(context, {&x, 1});
  EXPECT_TRUE(plan) << plan.status().to_line();
  std::map<std::string, int> places;
  std::map<std::size_t, int> numbers;
  for (const Plan::Entry& entry : (*plan)->entries()) {
    if (entry.packed == Plan::kNoPlace) continue;
    EXPECT_EQ(entry.packed_ready, numbers.count(entry.packed) != 0) << entry.node->name;
    const auto number = numbers.emplace(entry.packed, static_cast<int>(numbers.size())).first;
    places[entry.node->name] = number->second;
  }
  return places;
}

TEST(SharedInput, IsFoundWhereSeveralMatricesReadATensor) {
  const Program program = quantized({"out", "k", "v"});
  ASSERT_EQ(program.size(), 4u);
  for (std::size_t i = 0; i < program.size(); ++i) {
    EXPECT_EQ(program.node(i).op_type, "BitLinear");
  }
  EXPECT_EQ(packed_places(program), (std::map<std::string, int>{{"k", 0}, {"q", 0}, {"v", 0}}));
  EXPECT_EQ(packed_places(quantized({"out"})), (std::map<std::string, int>{}));
}

// Also where precisions make matrices want the vectors in different ways.
TEST(SharedInput, GivesWhatEachMatrixGivesAlone) {
  const Program together = quantized({"out", "k", "v"});
  const std::vector<std::string> names = {"out", "k", "v"};
  std::vector<Precision> precisions(4);
  precisions[0].all = {4, 8};
  precisions[1].all = {12, 32};
  precisions[2].all = {3, 16};
  precisions[2].layers["k"] = {5, 8};
  precisions[3].all = {6, 8};
  precisions[3].layers["q"] = {32, 32};
  for (const Precision& precision : precisions) {
    for (const std::int64_t batch : {1, 7, 150}) {
      const auto outputs = run_shared(together, precision, batch);
      ASSERT_EQ(outputs.size(), names.size());
      for (std::size_t i = 0; i < names.size(); ++i) {
        const auto alone = run_shared(quantized({names[i]}), precision, batch);
        ASSERT_EQ(alone.size(), 1u);
        EXPECT_EQ(outputs[i], alone[0]) << names[i] << " batch " << batch;
      }
    }
  }
}

TEST(SharedInput, BelongsToItsRun) {
  const Program program = quantized({"out", "k", "v"});
  Precision precision;
  precision.all = {4, 8};
  const auto expected3 = run_shared(program, precision, 3),
             expected90 = run_shared(program, precision, 90);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) {
        EXPECT_EQ(run_shared(program, precision, t % 2 == 0 ? 3 : 90),
                  t % 2 == 0 ? expected3 : expected90);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace pbatch
