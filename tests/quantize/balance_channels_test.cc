#include "quantize/balance_channels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "graph/passes.h"
#include "quantize/quantize_matrix.h"
#include "tests/graph/graph_builder.h"
#include "tests/quantize/naive_decoder.h"

namespace pbatch {
namespace {

using testing::GraphBuilder;

constexpr std::int64_t kIn = 8, kMiddle = 96, kOut = 32;

// Column c of the second matrix is large where c is a multiple of 16.
float size_of(std::int64_t c) { return c % 16 == 0 ? 30.0F : 1.0F; }

Tensor balanced_tensor(Shape shape, std::vector<float> values) {
  return *Tensor::from_floats(std::move(shape), values);
}

std::vector<float> second_weights() {  // [middle][out]
  std::vector<float> w = testing::gaussian(kMiddle * kOut, 2);
  for (std::size_t i = 0; i < w.size(); ++i) {
    w[i] *= size_of(static_cast<std::int64_t>(i) / kOut);
  }
  return w;
}

// x [?, 8] -> Linear, relu -> `between` -> Linear -> y.
GraphBuilder two_layers(const char* between = nullptr, float first_scale = 1) {
  GraphBuilder b;
  const ValueId x = b.input("x");
  const ValueId w1 = b.constant(
      "w1", balanced_tensor({kIn, kMiddle}, testing::gaussian(kIn * kMiddle, 1, first_scale)));
  const ValueId b1 = b.constant("b1", balanced_tensor({kMiddle}, testing::gaussian(kMiddle, 3)));
  const ValueId w2 = b.constant("w2", balanced_tensor({kMiddle, kOut}, second_weights()));
  ValueId h = b.node("Relu", "relu", {b.node("Gemm", "fc1", {x, w1, b1})});
  if (between != nullptr) h = b.node(between, "between", {h});
  b.output(b.node("MatMul", "fc2", {h, w2}));
  return b;
}

Graph fused(GraphBuilder& b) {
  EXPECT_TRUE(fuse_linear(b.graph));
  return b.graph;
}

const Tensor& constant_of(const Graph& graph, const std::string& node, std::size_t input) {
  for (const Node& n : graph.nodes) {
    if (n.name == node) return *graph.constant(n.inputs[input]);
  }
  static const Tensor none;
  ADD_FAILURE() << "no node " << node;
  return none;
}

bool is_changed(const Graph& before, const Graph& after) {
  const Tensor &a = constant_of(before, "fc2", 1), &b = constant_of(after, "fc2", 1);
  return !std::equal(a.data<float>(), a.data<float>() + a.size(), b.data<float>());
}

// The network in plain float, sums in ascending order.
std::vector<float> run(const Graph& graph, const std::vector<float>& x) {
  const Tensor &w1 = constant_of(graph, "fc1", 1), &b1 = constant_of(graph, "fc1", 2),
               &w2 = constant_of(graph, "fc2", 1);
  std::vector<float> h(kMiddle), y(kOut, 0);
  for (std::size_t m = 0; m < h.size(); ++m) {
    for (std::size_t k = 0; k < kIn; ++k) h[m] += x[k] * w1.data<float>()[k * kMiddle + m];
    h[m] = std::max(0.0F, h[m] + b1.data<float>()[m]);
    for (std::size_t n = 0; n < y.size(); ++n) y[n] += h[m] * w2.data<float>()[m * kOut + n];
  }
  return y;
}

double noise_power(const Graph& graph, int group) {
  const Tensor &w1 = constant_of(graph, "fc1", 1), &w2 = constant_of(graph, "fc2", 1);
  const auto q = quantize_matrix({w2.data<float>(), kOut, kMiddle, 1, kOut}, 8, group, nullptr);
  EXPECT_TRUE(q);
  double noise = 0;
  for (std::int64_t n = 0; n < kOut; ++n) {
    for (std::int64_t m = 0; m < kMiddle; ++m) {
      // What reaches the second layer through channel m is as large as the first layer's row.
      const double row =
          w1.data<float>()[m] / testing::gaussian(kIn * kMiddle, 1)[static_cast<std::size_t>(m)];
      const double error =
          testing::decode_weight(*q->matrix, 4, n, m) - w2.data<float>()[m * kOut + n];
      noise += error * error * row * row;
    }
  }
  return noise;
}

TEST(BalanceChannels, KeepsTheFunctionToTheBit) {
  GraphBuilder b = two_layers();
  const Graph before = fused(b);
  Graph after = before;
  ASSERT_TRUE(balance_channels(after, {.group = 32}, nullptr));
  ASSERT_TRUE(is_changed(before, after));
  for (unsigned seed = 0; seed < 20; ++seed) {
    const std::vector<float> x = testing::gaussian(kIn, 10 + seed);
    EXPECT_EQ(run(before, x), run(after, x));
  }
}

TEST(BalanceChannels, TakesTheNoiseOfLargeColumnsFromTheOthers) {
  GraphBuilder b = two_layers();
  const Graph before = fused(b);
  Graph after = before;
  ASSERT_TRUE(balance_channels(after, {.group = 32}, nullptr));
  // One column in sixteen of 30 times the size: each group's step was 30 times too large for the
  // others, and is not any more.
  EXPECT_LT(noise_power(after, 32), noise_power(before, 32) / 10);
}

TEST(BalanceChannels, GoesThroughPoolingBetweenConvolutions) {
  GraphBuilder b;
  std::vector<float> w2 = testing::gaussian(16 * 32 * 9, 2);
  for (std::size_t i = 0; i < w2.size(); ++i) w2[i] *= i / 9 % 32 == 5 ? 64.0F : 1.0F;
  const ValueId w1 =
      b.constant("w1", balanced_tensor({32, 3, 3, 3}, testing::gaussian(32 * 27, 1)));
  const ValueId h = b.node("Conv", "fc1", {b.input("x"), w1});
  const ValueId pooled =
      b.node("MaxPool", "pool", {h}, {{"kernel_shape", std::vector<std::int64_t>{2, 2}}});
  b.output(b.node("Conv", "fc2", {pooled, b.constant("w2", balanced_tensor({16, 32, 3, 3}, w2))}));
  const Graph before = fused(b);
  Graph after = before;
  ASSERT_TRUE(balance_channels(after, {.group = 64}, nullptr));
  const Tensor &r0 = constant_of(before, "fc1", 1), &r1 = constant_of(after, "fc1", 1);
  const Tensor &c0 = constant_of(before, "fc2", 1), &c1 = constant_of(after, "fc2", 1);
  for (std::int64_t channel = 0; channel < 32; ++channel) {
    const float scale = r1.data<float>()[channel * 27] / r0.data<float>()[channel * 27];
    EXPECT_EQ(scale > 1, channel == 5) << channel;
    EXPECT_EQ(std::exp2(std::round(std::log2(scale))), scale);
    for (std::int64_t i = 0; i < 27; ++i) {
      EXPECT_EQ(r1.data<float>()[channel * 27 + i], r0.data<float>()[channel * 27 + i] * scale);
    }
    for (std::int64_t row = 0; row < 16; ++row) {
      for (std::int64_t tap = 0; tap < 9; ++tap) {
        const std::int64_t i = (row * 32 + channel) * 9 + tap;
        EXPECT_EQ(c1.data<float>()[i], c0.data<float>()[i] / scale);
      }
    }
  }
}

TEST(BalanceChannels, LeavesAloneWhatItWouldChangeOrNotHelp) {
  const auto untouched = [](GraphBuilder b, const BalanceOptions& options = {.group = 32}) {
    const Graph before = fused(b);
    Graph after = before;
    EXPECT_TRUE(balance_channels(after, options, nullptr));
    return !is_changed(before, after);
  };
  EXPECT_FALSE(untouched(two_layers()));
  EXPECT_FALSE(untouched(two_layers("LeakyRelu")));
  for (const char* op : {"Tanh", "Softmax", "GlobalMaxPool"}) {
    EXPECT_TRUE(untouched(two_layers(op))) << op;
  }
  EXPECT_TRUE(untouched(two_layers(nullptr, 1e38F)));  // some weights would be infinite
  EXPECT_TRUE(untouched(two_layers(), {.group = 32, .exclude = {"fc*"}}));
  EXPECT_TRUE(untouched(two_layers(), {.group = 32, .min_elements = kMiddle * kOut + 1}));
  GraphBuilder read_outside = two_layers();
  read_outside.output(read_outside.graph.nodes[1].outputs[0]);
  EXPECT_TRUE(untouched(std::move(read_outside)));
}

}  // namespace
}  // namespace pbatch
