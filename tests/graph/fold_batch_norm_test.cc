#include <gtest/gtest.h>

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

// gamma, beta, mean and a positive variance for `channels`.
std::vector<ValueId> with_statistics(GraphBuilder& b, ValueId x, std::int64_t channels,
                                     const std::string& name) {
  Array variance = random_array({channels}, 9);
  for (double& v : variance.values) v = static_cast<float>(v * v + 0.25);
  return {x, b.constant(name + "_gamma", {channels}), b.constant(name + "_beta", {channels}),
          b.constant(name + "_mean", {channels}), b.constant(name + "_var", variance)};
}

const std::map<std::string, Array> kSignal = {{"x", random_array({2, 3, 7}, 1)}};
const std::map<std::string, Array> kMatrix = {{"x", random_array({6, 5}, 2)}};

TEST(FoldBatchNorm, ConvWithAndWithoutBias) {
  for (const bool biased : {false, true}) {
    GraphBuilder b;
    std::vector<ValueId> inputs = {b.input("x"), b.constant("w", {4, 3, 2})};
    if (biased) inputs.push_back(b.constant("b", {4}));
    const ValueId h = b.node("Conv", "conv", inputs);
    b.output(
        b.node("BatchNormalization", "bn", with_statistics(b, h, 4, "bn"), {{"epsilon", 0.125f}}));
    expect_same_function(b.graph, fold_batch_norm, kSignal);
    EXPECT_EQ(ops(b.graph), "Conv");
    EXPECT_EQ(b.graph.nodes[0].name, "conv");
  }
}

TEST(FoldBatchNorm, TwoInARow) {
  GraphBuilder b;
  const ValueId h = b.node("Conv", "conv", {b.input("x"), b.constant("w", {4, 3, 2})});
  const ValueId n = b.node("BatchNormalization", "bn", with_statistics(b, h, 4, "bn"));
  b.output(b.node("BatchNormalization", "bn2", with_statistics(b, n, 4, "bn2")));
  expect_same_function(b.graph, fold_batch_norm, kSignal);
  EXPECT_EQ(ops(b.graph), "Conv");
}

TEST(FoldBatchNorm, GemmAndMatMulWithBias) {
  for (const bool gemm : {true, false}) {
    GraphBuilder b;
    const ValueId x = b.input("x", std::vector<Dim>{{-1, "N"}, {5, ""}});
    ValueId h;
    if (gemm) {
      h = b.node("Gemm", "fc", {x, b.constant("w", {4, 5}), b.constant("b", {4})},
                 {{"transB", std::int64_t{1}}, {"alpha", 0.5f}, {"beta", 2.0f}});
    } else {
      const ValueId product = b.node("MatMul", "fc", {x, b.constant("w", {5, 4})});
      h = b.node("Add", "add", {product, b.constant("b", {4})});
    }
    b.output(b.node("BatchNormalization", "bn", with_statistics(b, h, 4, "bn")));
    expect_same_function(b.graph, fold_batch_norm, kMatrix);
    EXPECT_EQ(ops(b.graph), "pbatch.Linear");
    EXPECT_EQ(b.graph.nodes[0].name, "fc");
  }
}

TEST(FoldBatchNorm, ChannelsThatAreNotTheMatrixsColumnsStay) {
  // [2, 4, 5] times [5, 4]: the normalization runs over the middle axis.
  GraphBuilder b;
  const ValueId h = b.node("MatMul", "mm", {b.input("x"), b.constant("w", {5, 4})});
  b.output(b.node("BatchNormalization", "bn", with_statistics(b, h, 4, "bn")));
  expect_same_function(b.graph, fold_batch_norm, {{"x", random_array({2, 4, 5}, 3)}});
  EXPECT_EQ(ops(b.graph), "pbatch.Linear BatchNormalization");
}

// A file may declare any shape for a value inside; what is fed decides.
TEST(FoldBatchNorm, DeclaredRanksInsideAreNotBelieved) {
  for (const bool declares_input : {false, true}) {
    GraphBuilder b;
    ValueId x = b.input("x");
    if (declares_input) x = b.node("Relu", "act", {x});
    const ValueId h = b.node("MatMul", "mm", {x, b.constant("w", {5, 4})});
    b.graph.values[std::size_t(declares_input ? x : h)].dims =
        std::vector<Dim>{{-1, "N"}, {declares_input ? 5 : 4, ""}};
    b.output(b.node("BatchNormalization", "bn", with_statistics(b, h, 4, "bn")));
    if (declares_input) b.output(x);
    expect_same_function(b.graph, fold_batch_norm, {{"x", random_array({2, 4, 5}, 3)}});
    EXPECT_NE(ops(b.graph).find("BatchNormalization"), std::string::npos);
  }
}

TEST(FoldBatchNorm, SharedWeightsAreNotChanged) {
  GraphBuilder b;
  const ValueId x = b.input("x");
  const ValueId w = b.constant("w", {4, 3, 2});
  const ValueId h = b.node("Conv", "conv", {x, w});
  b.output(b.node("BatchNormalization", "bn", with_statistics(b, h, 4, "bn")));
  b.output(b.node("Conv", "other", {x, w}));
  expect_same_function(b.graph, fold_batch_norm, kSignal);
  EXPECT_EQ(ops(b.graph), "Conv Conv");
}

TEST(FoldBatchNorm, ValuesThatOthersNeedStay) {
  GraphBuilder b;
  const ValueId h = b.node("Conv", "conv", {b.input("x"), b.constant("w", {4, 3, 2})});
  b.output(b.node("BatchNormalization", "bn", with_statistics(b, h, 4, "bn")));
  b.output(b.node("Relu", "r", {h}));
  expect_same_function(b.graph, fold_batch_norm, kSignal);
  EXPECT_EQ(ops(b.graph), "Conv BatchNormalization Relu");
}

TEST(FoldBatchNorm, ComputedStatisticsTrainingAndBadVarianceStay) {
  GraphBuilder b;
  const ValueId x = b.input("x"), gamma = b.input("gamma");
  const auto layer = [&](const std::string& name, std::map<std::string, Attribute> attributes) {
    const ValueId h = b.node("Conv", name, {x, b.constant(name + "_w", {4, 3, 2})});
    b.output(b.node("BatchNormalization", name + "_bn", with_statistics(b, h, 4, name),
                    std::move(attributes)));
    return b.graph.nodes.size() - 1;
  };
  b.graph.nodes[layer("computed", {})].inputs[1] = gamma;
  layer("training", {{"training_mode", std::int64_t{1}}});
  layer("per_pixel", {{"spatial", std::int64_t{0}}});
  const Array negative{{4}, {1, 1, -1, 1}};
  b.graph.nodes[layer("negative", {})].inputs[4] = b.constant("negative_variance", negative);
  layer("one_channel_less", {});
  for (std::size_t i = 1; i < 5; ++i) {
    b.graph.nodes.back().inputs[i] = b.constant("short" + std::to_string(i), {3});
  }
  const std::string before = ops(b.graph);
  ASSERT_TRUE(fold_batch_norm(b.graph));
  EXPECT_EQ(ops(b.graph), before);
}

}  // namespace
}  // namespace pbatch
