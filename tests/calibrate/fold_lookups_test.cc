#include "quantize/fold_lookups.h"

#include <gtest/gtest.h>

#include <cmath>

#include "pbatch/quantize.h"
#include "pbatch/session.h"
#include "run/simplify.h"
#include "tests/support/networks.h"
#include "tests/support/scratch.h"
#include "tests/support/step_networks.h"

namespace pbatch {
namespace {

using testing::NetBuilder;
using testing::random_floats;

/// tokens [?] -> a row of a table [size, depth] -> two layers of `width` -> their sum, [?, width].
Graph two_layers(std::int64_t size, std::int64_t depth, std::int64_t width, bool table_is_output) {
  NetBuilder b;
  const auto floats = [&](std::int64_t r, std::int64_t c, unsigned seed) {
    return b.floats({r, c}, random_floats(static_cast<std::size_t>(r * c), seed));
  };
  const ValueId tokens = b.input("tokens", DType::i64, {-1});
  const ValueId x = b.node("Gather", {floats(size, depth, 1), tokens});
  const ValueId bias = b.floats({width}, random_floats(static_cast<std::size_t>(width), 4));
  const ValueId one = b.node("Add", {b.node("MatMul", {x, floats(depth, width, 2)}), bias});
  const ValueId two = b.node("MatMul", {x, floats(depth, width, 3)});
  b.output(b.node("Tanh", {b.node("Add", {one, two})}), "y", {-1, width});
  if (table_is_output) b.output(x, "x", {-1, depth});
  return b.graph();
}

std::vector<std::string> operators_after(Graph graph, const QuantizeOptions& options) {
  EXPECT_TRUE(simplify(graph));
  EXPECT_TRUE(fold_lookups(graph, options));
  std::vector<std::string> operators;
  for (const Node& node : graph.nodes) operators.push_back(node.op_type);
  return operators;
}

TEST(FoldLookups, EveryLayerBehindATableBecomesATable) {
  // 2 tables of 20 x 40 = 1600 numbers in place of 20 x 48 + 2 x 48 x 40 = 4800.
  EXPECT_EQ(operators_after(two_layers(20, 48, 40, false), {}),
            (std::vector<std::string>{"Gather", "Gather", "Add", "Tanh"}));
}

TEST(FoldLookups, NotWhereItCostsMoreOrSomebodyElseReadsTheRows) {
  const auto as_before = [](const std::vector<std::string>& operators) {
    return std::count(operators.begin(), operators.end(), "Linear") == 2;
  };
  // 2 x 200 x 40 = 16000 against 200 x 48 + 3840 = 13440.
  EXPECT_TRUE(as_before(operators_after(two_layers(200, 48, 40, false), {})));
  EXPECT_TRUE(as_before(operators_after(two_layers(20, 48, 40, true), {})));
  EXPECT_TRUE(as_before(operators_after(two_layers(20, 48, 40, false), {.exclude = {"*"}})));
}

class FoldedFile : public testing::Scratch {};

TEST_F(FoldedFile, GivesTheAnswersOfTheNetwork) {
  testing::write_onnx(two_layers(20, 48, 40, false), path("net.onnx"));
  const auto report =
      quantize_file(path("net.onnx"), path("q.onnx"), {.planes = 16, .min_elements = 1});
  ASSERT_TRUE(report) << report.status().to_line();
  ASSERT_EQ(report->layers.size(), 2u);
  for (const LayerReport& layer : report->layers) {
    EXPECT_EQ(layer.op_type, "Gather");
    EXPECT_EQ(layer.rows, 20);
    EXPECT_EQ(layer.cols, 40);
  }
  const auto folded = Session::load(path("q.onnx")), whole = Session::load(path("net.onnx"));
  ASSERT_TRUE(folded && whole);
  Result<Tensor> tokens = Tensor::create(DType::i64, {20});
  for (std::int64_t i = 0; i < 20; ++i) tokens->mutable_data<std::int64_t>()[i] = i;
  const std::vector<NamedTensor> inputs{{"tokens", *tokens}};
  const auto a = folded->run(inputs, Precision::bits(16, 32)), b = whole->run(inputs, {});
  ASSERT_TRUE(a && b);
  for (std::int64_t i = 0; i < (*a)[0].size(); ++i) {
    EXPECT_NEAR((*a)[0].data<float>()[i], (*b)[0].data<float>()[i], 2e-3);
  }
}

}  // namespace
}  // namespace pbatch
