#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "graph/passes.h"
#include "tests/graph/graph_builder.h"

namespace pbatch {
namespace {

using testing::Array;
using testing::expect_same_function;
using testing::GraphBuilder;
using testing::ops;
using testing::random_array;

constexpr int kK = 5, kN = 4;
const std::vector<Dim> kLinearMatrix = {{-1, "batch"}, {kK, ""}};
const std::map<std::string, Array> kLinearInputs = {{"x", random_array({3, kK}, 77)}};

TEST(FuseLinear, MatMulAndAddInEitherOrder) {
  for (const bool bias_first : {false, true}) {
    GraphBuilder b;
    const ValueId x = b.input("x");
    const ValueId product = b.node("MatMul", "mm", {x, b.constant("w", {kK, kN})});
    const ValueId bias = b.constant("b", {kN});
    const ValueId sum =
        b.node("Add", "add", bias_first ? std::vector{bias, product} : std::vector{product, bias});
    b.output(sum);
    expect_same_function(b.graph, fuse_linear, kLinearInputs);
    ASSERT_EQ(ops(b.graph), "pbatch.Linear");
    EXPECT_EQ(b.graph.nodes[0].name, "mm");
    EXPECT_EQ(b.graph.nodes[0].opset, 1);
    EXPECT_EQ(b.graph.opsets.at("pbatch"), 1);
    EXPECT_EQ(b.graph.nodes[0].inputs[2], bias);
  }
}

TEST(FuseLinear, MatMulAlone) {
  GraphBuilder b;
  b.output(b.node("MatMul", "mm", {b.input("x"), b.constant("w", {kK, kN})}));
  expect_same_function(b.graph, fuse_linear, kLinearInputs);
  EXPECT_EQ(ops(b.graph), "pbatch.Linear");
  EXPECT_EQ(b.graph.nodes[0].inputs.size(), 2u);
}

struct BiasCase {
  Shape bias;
  std::optional<std::vector<Dim>> input_dims;
  Shape input;
  bool fuses;
};

TEST(FuseLinear, OnlyIfBroadcastingStaysTheSame) {
  const std::vector<Dim> vector = {{kK, ""}};
  const BiasCase cases[] = {
      {{kN}, {}, {3, kK}, true},
      {{1}, {}, {3, kK}, true},
      {{}, {}, {3, kK}, true},
      {{1, kN}, kLinearMatrix, {3, kK}, true},
      {{1, 1}, kLinearMatrix, {3, kK}, true},
      {{1, kN}, {}, {3, kK}, false},   // the product might be a vector
      {{1, kN}, vector, {kK}, false},  // the sum is a matrix, the product is not
      {{1, 1, kN}, kLinearMatrix, {3, kK}, false},
      {{3, kN}, kLinearMatrix, {3, kK}, false},
      {{3, 1}, kLinearMatrix, {3, kK}, false},
      {{kN}, vector, {kK}, true},
  };
  for (const BiasCase& c : cases) {
    SCOPED_TRACE(shape_to_string(c.bias) + (c.input_dims ? " with dims" : ""));
    GraphBuilder b;
    const ValueId x = b.input("x", c.input_dims);
    const ValueId product = b.node("MatMul", "mm", {x, b.constant("w", {kK, kN})});
    b.output(b.node("Add", "add", {product, b.constant("b", c.bias)}));
    expect_same_function(b.graph, fuse_linear, {{"x", random_array(c.input, 5)}});
    EXPECT_EQ(ops(b.graph), c.fuses ? "pbatch.Linear" : "pbatch.Linear Add");
  }
}

TEST(FuseLinear, AVectorOverAProductOfOneColumnIsNoBias) {
  GraphBuilder b;
  const ValueId product =
      b.node("MatMul", "mm", {b.input("x", kLinearMatrix), b.constant("w", {kK, 1})});
  b.output(b.node("Add", "add", {product, b.constant("b", {kN})}));
  expect_same_function(b.graph, fuse_linear, kLinearInputs);
  EXPECT_EQ(ops(b.graph), "pbatch.Linear Add");
}

TEST(FuseLinear, ProductsThatOthersNeedKeepTheirAdd) {
  GraphBuilder used, output;
  for (GraphBuilder* b : {&used, &output}) {
    const ValueId product = b->node("MatMul", "mm", {b->input("x"), b->constant("w", {kK, kN})});
    b->output(b->node("Add", "add", {product, b->constant("b", {kN})}));
    b->output(b == &used ? b->node("Relu", "r", {product}) : product);
  }
  expect_same_function(used.graph, fuse_linear, kLinearInputs);
  EXPECT_EQ(ops(used.graph), "pbatch.Linear Add Relu");
  expect_same_function(output.graph, fuse_linear, kLinearInputs);
  EXPECT_EQ(ops(output.graph), "pbatch.Linear Add");
}

TEST(FuseLinear, SumOfTheProductWithItself) {
  GraphBuilder b;
  const ValueId product = b.node("MatMul", "mm", {b.input("x"), b.constant("w", {kK, kN})});
  b.output(b.node("Add", "add", {product, product}));
  expect_same_function(b.graph, fuse_linear, kLinearInputs);
  EXPECT_EQ(ops(b.graph), "pbatch.Linear Add");
}

TEST(FuseLinear, GemmOfEveryForm) {
  for (const bool transposed : {false, true}) {
    for (const float alpha : {1.0f, 0.5f}) {
      for (const float beta : {1.0f, -2.0f, 0.0f}) {
        for (const Shape& bias : {Shape{kN}, Shape{1, kN}, Shape{}, Shape{1, 1}, Shape{99}}) {
          GraphBuilder b;
          std::vector<ValueId> inputs = {
              b.input("x"), b.constant("w", transposed ? Shape{kN, kK} : Shape{kK, kN})};
          if (bias != Shape{99}) inputs.push_back(b.constant("b", bias));  // 99: none
          b.output(
              b.node("Gemm", "fc", inputs,
                     {{"transB", std::int64_t{transposed}}, {"alpha", alpha}, {"beta", beta}}));
          expect_same_function(b.graph, fuse_linear, kLinearInputs);
          ASSERT_EQ(ops(b.graph), "pbatch.Linear");
          EXPECT_TRUE(b.graph.nodes[0].attributes.empty());
          EXPECT_EQ(b.graph.nodes[0].name, "fc");
        }
      }
    }
  }
}

TEST(FuseLinear, GemmsThatStay) {
  GraphBuilder b;
  const ValueId x = b.input("x"), z = b.input("z");
  const ValueId w = b.constant("w", {kK, kN});
  b.output(b.node("Gemm", "full_bias", {x, w, b.constant("b", {3, kN})}));
  b.output(b.node("Gemm", "column_bias", {x, w, b.constant("c", {3, 1})}));
  b.output(b.node("Gemm", "input_bias", {x, w, z}));
  b.output(b.node("Gemm", "input_matrix", {x, z}));
  b.output(b.node("Gemm", "transposed", {z, w}, {{"transA", std::int64_t{1}}}));
  ASSERT_TRUE(fuse_linear(b.graph));
  EXPECT_EQ(ops(b.graph), "Gemm Gemm Gemm Gemm Gemm");
}

TEST(FuseLinear, SharedConstantsStayAsTheyAre) {
  GraphBuilder b;
  const ValueId x = b.input("x");
  const ValueId w = b.constant("w", {kK, kK});
  const std::vector<float> before(b.graph.constant(w)->span<float>().begin(),
                                  b.graph.constant(w)->span<float>().end());
  const std::map<std::string, Attribute> transposed = {{"transB", std::int64_t{1}}};
  const ValueId first = b.node("Gemm", "first", {x, w}, transposed);
  const ValueId second = b.node("Gemm", "second", {first, w}, transposed);
  const ValueId third = b.node("Gemm", "third", {second, w}, {{"alpha", 3.0f}});
  b.output(third);
  b.output(b.node("MatMul", "plain", {x, w}));
  expect_same_function(b.graph, fuse_linear, kLinearInputs);
  EXPECT_EQ(std::vector<float>(b.graph.constant(w)->span<float>().begin(),
                               b.graph.constant(w)->span<float>().end()),
            before);
  // One transpose serves both layers.
  EXPECT_EQ(b.graph.nodes[0].inputs[1], b.graph.nodes[1].inputs[1]);
  EXPECT_EQ(b.graph.nodes.back().inputs[1], w);
}

TEST(FuseLinear, ReluBecomesAnActivation) {
  GraphBuilder b;
  const ValueId x = b.input("x");
  const ValueId h = b.node("Gemm", "fc", {x, b.constant("w", {kK, kN})});
  b.output(b.node("Relu", "act", {h}));
  b.graph.values[std::size_t(b.graph.outputs[0])].name = "y";
  expect_same_function(b.graph, fuse_linear, kLinearInputs);
  ASSERT_EQ(ops(b.graph), "pbatch.Linear");
  EXPECT_EQ(*b.graph.nodes[0].string_attr("activation", ""), "relu");
  EXPECT_EQ(b.graph.values[std::size_t(b.graph.outputs[0])].name, "y");
}

TEST(FuseLinear, ReluOfAValueThatOthersNeedStays) {
  GraphBuilder b;
  const ValueId h = b.node("Gemm", "fc", {b.input("x"), b.constant("w", {kK, kN})});
  b.output(b.node("Relu", "act", {h}));
  b.output(h);
  expect_same_function(b.graph, fuse_linear, kLinearInputs);
  EXPECT_EQ(ops(b.graph), "pbatch.Linear Relu");
}

TEST(FuseLinear, ConvTakesReluAndKeepsItsAttributes) {
  GraphBuilder b;
  const ValueId x = b.input("x");
  const ValueId w = b.constant("w", {4, 2, 3});
  const std::map<std::string, Attribute> attributes = {{"group", std::int64_t{1}}};
  const ValueId h = b.node("Conv", "conv", {x, w}, attributes);
  const ValueId r = b.node("Relu", "act", {h});
  b.output(b.node("Conv", "plain", {r, b.constant("v", {3, 4, 1})}));
  expect_same_function(b.graph, fuse_linear, {{"x", random_array({2, 2, 8}, 3)}});
  ASSERT_EQ(ops(b.graph), "pbatch.Conv Conv");
  EXPECT_EQ(*b.graph.nodes[0].int_attr("group", 0), 1);
  EXPECT_EQ(*b.graph.nodes[0].string_attr("activation", ""), "relu");
}

TEST(FuseLinear, AttributesOfTheWrongTypeAreAnError) {
  GraphBuilder b;
  b.output(b.node("Gemm", "fc", {b.input("x"), b.constant("w", {kK, kN})},
                  {{"alpha", std::int64_t{1}}}));
  const Status status = fuse_linear(b.graph);
  EXPECT_EQ(status.code(), ErrorCode::malformed);
  EXPECT_EQ(status.node(), "fc");
}

TEST(FuseLinear, TwiceIsOnce) {
  GraphBuilder b;
  const ValueId h = b.node("Gemm", "fc", {b.input("x"), b.constant("w", {kK, kN})});
  b.output(b.node("Relu", "act", {h}));
  ASSERT_TRUE(fuse_linear(b.graph));
  const std::size_t values = b.graph.values.size();
  ASSERT_TRUE(fuse_linear(b.graph));
  EXPECT_EQ(b.graph.values.size(), values);
  EXPECT_EQ(ops(b.graph), "pbatch.Linear");
}

}  // namespace
}  // namespace pbatch
