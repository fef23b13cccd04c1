// RNN, LSTM and GRU on the emulated device: the bits of the CPU in every form of the operators.
#include "tests/support/recurrent.h"

#include <gtest/gtest.h>

#include "tests/device/both.h"
#include "tests/kernel/time_box.h"

namespace pbatch {
namespace {

using testing::OnBoth;
using testing::RecurrentCase;

RecurrentCase random_case(std::mt19937_64& rng) {
  RecurrentCase c;
  const auto any = [&](std::uint64_t n) { return static_cast<std::int64_t>(rng() % n); };
  c.cell = std::vector<std::string>{"RNN", "LSTM", "GRU"}[rng() % 3];
  c.direction = std::vector<std::string>{"forward", "reverse", "bidirectional"}[rng() % 3];
  c.steps = 1 + any(4);
  c.batch = rng() % 6 == 0 ? 11 : 1 + any(4);
  c.features = 1 + any(40);
  c.hidden = 1 + any(60);
  c.layout = static_cast<int>(rng() % 2);
  c.linear_before_reset = rng() % 2 != 0 && c.cell == "GRU";
  c.biases = rng() % 4 != 0;
  c.states = rng() % 2 != 0;
  c.peepholes = c.cell == "LSTM" && rng() % 2 != 0;
  c.input_forget = c.cell == "LSTM" && rng() % 4 == 0;
  c.clip = rng() % 3 == 0 ? 0.7F : 0;
  if (rng() % 2 != 0) {
    for (std::int64_t b = 0; b < c.batch; ++b) {
      c.lengths.push_back(static_cast<std::int32_t>(any(static_cast<std::uint64_t>(c.steps) + 1)));
    }
  }
  return c;
}

TEST(DeviceRecurrent, HasTheBitsOfTheCpu) {
  std::mt19937_64 rng(testing::kSeed);
  for (testing::TimeBox box(30); box.next();) {
    const RecurrentCase c = random_case(rng);
    const testing::RecurrentTensors t = random_tensors(c);
    OnBoth both(recurrent_graph(c, t));
    const int weight_bits = 1 + static_cast<int>(rng() % 12);
    both.expect_same_bits(recurrent_inputs(c, t),
                          Precision::bits(weight_bits, 8 << static_cast<int>(rng() % 3)));
    if (::testing::Test::HasFailure()) {
      FAIL() << c.cell << " " << c.direction << ", steps " << c.steps << ", batch " << c.batch
             << ", hidden " << c.hidden << ", layout " << c.layout;
    }
  }
}

TEST(DeviceRecurrent, WithFloatWeightsIsNear) {
  std::mt19937_64 rng(testing::kSeed);
  for (int round = 0; round < 8; ++round) {
    const RecurrentCase c = random_case(rng);
    const testing::RecurrentTensors t = random_tensors(c);
    OnBoth both(recurrent_graph(c, t), {.planes = 0});
    both.expect_near(recurrent_inputs(c, t), Precision::f32(), 1e-4F);
  }
}

TEST(DeviceRecurrent, RefusesLengthsThatTheInputHasNot) {
  RecurrentCase c;
  c.lengths = {5, 2, 4};
  const testing::RecurrentTensors t = random_tensors(c);
  OnBoth both(recurrent_graph(c, t));
  std::vector<Tensor> inputs = recurrent_inputs(c, t);
  ASSERT_EQ(inputs[1].dtype(), DType::i32);
  for (const std::int32_t length : {6, -1}) {
    inputs[1] = testing::make_tensor<std::int32_t>(DType::i32, {3}, {5, length, 4});
    const auto got = both.on_device(inputs, Precision::bits(4));
    ASSERT_FALSE(got);
    EXPECT_EQ(got.status().code(), ErrorCode::invalid_argument);
    EXPECT_EQ(got.status().node(), "cell/recurrent");
    EXPECT_NE(got.status().message().find("sequence_lens"), std::string::npos);
  }
  inputs[1] = testing::make_tensor<std::int32_t>(DType::i32, {4}, {5, 2, 4, 1});
  const auto more = both.on_device(inputs, Precision::bits(4));
  ASSERT_FALSE(more);
  EXPECT_EQ(more.status().code(), ErrorCode::shape_mismatch);
}

TEST(DeviceRecurrent, OfNoStepsOrNoVectorsHasTheCpusResults) {
  for (const char* cell : {"RNN", "LSTM", "GRU"}) {
    for (const auto& [steps, batch] : {std::pair<int, int>{0, 3}, {5, 0}}) {
      SCOPED_TRACE(cell);
      RecurrentCase c;
      c.cell = cell;
      c.steps = steps;
      c.batch = batch;
      const testing::RecurrentTensors t = random_tensors(c);
      OnBoth both(recurrent_graph(c, t));
      both.expect_same_bits(recurrent_inputs(c, t), Precision::bits(4));
    }
  }
}

TEST(DeviceRecurrent, RefusesOtherFunctions) {
  RecurrentCase c;
  Graph graph = recurrent_graph(c, random_tensors(c));
  graph.nodes[0].attributes["activations"] = std::vector<std::string>{"Sigmoid", "Relu", "Tanh"};
  const OnBoth both(std::move(graph));
  EXPECT_EQ(both.refusal().code(), ErrorCode::unsupported);
  EXPECT_EQ(both.refusal().node(), "cell/recurrent");
}

}  // namespace
}  // namespace pbatch
