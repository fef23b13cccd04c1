// Networks on the emulated device: the bits of the CPU, at every width, batch and shape; errors
// that name the node; and nothing lost when the device fails.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <thread>

#include "tests/device/both.h"
#include "tests/support/graph_maker.h"
#include "tests/support/recurrent.h"

namespace pbatch {
namespace {

using testing::mlp;
using testing::OnBoth;
using testing::random_floats;
using testing::tensor_of;

Tensor vectors(std::int64_t batch, std::int64_t cols, unsigned seed = 5) {
  return tensor_of({batch, cols}, random_floats(static_cast<std::size_t>(batch * cols), seed));
}

TEST(DeviceNetwork, OfFullyConnectedLayersHasTheBitsOfTheCpu) {
  OnBoth both(mlp({70, 300, 41, 10}));
  for (const int weight_bits : {1, 2, 3, 4, 5, 8, 12}) {
    for (const int activation_bits : {8, 16, 32}) {
      both.expect_same_bits({vectors(1, 70)}, Precision::bits(weight_bits, activation_bits));
    }
  }
  for (const std::int64_t batch : {2, 8, 9, 40}) {
    both.expect_same_bits({vectors(batch, 70)}, Precision::bits(4, 16));
  }
}

TEST(DeviceNetwork, WithoutAUnitForBitsHasTheSameBits) {
  OnBoth both(mlp({70, 300, 10}), {.planes = 8, .min_elements = 1}, /*capability=*/100);
  for (const int weight_bits : {1, 4, 7}) {
    both.expect_same_bits({vectors(3, 70)}, Precision::bits(weight_bits, 16));
  }
}

TEST(DeviceNetwork, TakesALayersOwnPrecision) {
  OnBoth both(mlp({70, 300, 41, 10}));
  Precision precision = Precision::bits(3, 8);
  precision.layers["fc1"] = {11, 32};
  both.expect_same_bits({vectors(2, 70)}, precision);
}

TEST(DeviceNetwork, KeepsItsRunsApart) {
  OnBoth both(mlp({70, 300, 10}));
  for (int round = 0; round < 3; ++round) {
    for (const std::int64_t batch : {1, 3, 2}) {
      for (const int bits : {2, 7}) {
        both.expect_same_bits({vectors(batch, 70, static_cast<unsigned>(round))},
                              Precision::bits(bits));
      }
    }
  }
}

TEST(DeviceNetwork, SmallMatricesStayFloat) {
  OnBoth both(mlp({70, 300, 10}), {.planes = 8, .min_elements = 4096});
  for (const std::int64_t batch : {1, 20}) {
    both.expect_near({vectors(batch, 70)}, Precision::bits(8), 1e-4F);
  }
}

TEST(DeviceNetwork, CutsManyVectorsIntoSeveralProducts) {
  OnBoth both(mlp({6, 5}));
  both.expect_same_bits({vectors(4096 + 33, 6)}, Precision::bits(2, 8));
}

TEST(DeviceNetwork, TakesNoVectorsAtAll) {
  OnBoth both(mlp({70, 30, 10}));
  both.expect_same_bits({tensor_of({0, 70}, {})}, Precision::bits(4));
}

TEST(DeviceNetwork, ServesManyThreads) {
  OnBoth both(mlp({70, 60, 10}));
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&both, i] {
      const Precision precision = Precision::bits(1 + i % 3);
      const Tensor x = vectors(1 + i % 2, 70, static_cast<unsigned>(i));
      for (int round = 0; round < 3; ++round) both.expect_same_bits({x}, precision);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(DeviceNetwork, NamesTheNodeWhoseInputIsNotFinite) {
  OnBoth both(mlp({70, 60, 10}));
  std::vector<float> x = random_floats(70, 1);
  x[3] = std::numeric_limits<float>::infinity();
  const auto got = both.on_device({tensor_of({1, 70}, x)}, Precision::bits(4));
  ASSERT_FALSE(got);
  EXPECT_EQ(got.status().code(), ErrorCode::not_finite);
  EXPECT_EQ(got.status().node(), "fc0");
  EXPECT_EQ(got.status().message(),
            both.on_host({tensor_of({1, 70}, x)}, Precision::bits(4)).status().message());
  both.expect_same_bits({vectors(1, 70)}, Precision::bits(4));
}

TEST(DeviceNetwork, RefusesWhatItHasNotGot) {
  OnBoth both(mlp({70, 60, 10}), {.planes = 4, .min_elements = 1});
  const auto planes = both.on_device({vectors(1, 70)}, Precision::bits(5));
  ASSERT_FALSE(planes);
  EXPECT_EQ(planes.status().code(), ErrorCode::precision_unavailable);
  EXPECT_EQ(planes.status().node(), "fc0");
  const auto floats = both.on_device({vectors(1, 70)}, Precision::f32());
  ASSERT_FALSE(floats);
  EXPECT_EQ(floats.status().code(), ErrorCode::unsupported);
  const auto shape = both.on_device({vectors(1, 71)}, Precision::bits(4));
  ASSERT_FALSE(shape);
  EXPECT_EQ(shape.status().code(), ErrorCode::shape_mismatch);
  both.expect_same_bits({vectors(1, 70)}, Precision::bits(4));
}

TEST(DeviceNetwork, RefusesAnOperatorOfTheCpuAtOnce) {
  Graph graph = mlp({70, 60, 10});
  Node node;
  node.name = "sorted";
  node.op_type = "CumSum";
  node.opset = 13;
  node.inputs = {
      graph.outputs[0],
      graph.add_value({.name = "axis", .dtype = DType::i64, .constant = testing::int64s({1})})};
  graph.outputs[0] = graph.add_value({.name = "sums"});
  node.outputs = {graph.outputs[0]};
  graph.nodes.push_back(node);
  const OnBoth both(std::move(graph));
  EXPECT_EQ(both.refusal().code(), ErrorCode::unsupported);
  EXPECT_EQ(both.refusal().node(), "sorted");
  EXPECT_EQ(both.refusal().message(), "operator CumSum runs on the CPU only");
}

TEST(DeviceNetwork, NamesEveryOperatorThatItDoesNotRun) {
  testing::GraphMaker m;
  const ValueId x = m.input("x");
  Graph graph = m.graph({m.add("Det", {m.add("Relu", {m.add("Floor", {m.add("Det", {x})})})})});
  graph.nodes.push_back(graph.nodes[1]);
  graph.nodes.back().op_type = "Ceil";
  graph.nodes.back().outputs = {graph.add_value({.name = "up"})};
  const Status status = DeviceNetwork::check(graph);
  EXPECT_EQ(status.node(), "Det0");
  EXPECT_EQ(status.message(), "operator Det runs on the CPU only (as do Ceil, Floor)");
}

// Whatever call of the device fails, the error comes out, nothing is lost, and the next run is
// right.
TEST(DeviceNetwork, SurvivesEveryFailureOfTheDevice) {
  testing::RecurrentCase c;
  c.cell = "GRU";
  c.steps = 2;
  c.features = c.hidden = 33;
  const testing::RecurrentTensors t = random_tensors(c);
  const std::vector<Tensor> inputs = recurrent_inputs(c, t);
  bool passed = false;
  for (int calls = 0; !passed; ++calls) {
    ASSERT_LT(calls, 1000);
    OnBoth both(recurrent_graph(c, t));
    both.device().fail_after(calls);
    const auto got = both.on_device(inputs, Precision::bits(4));
    passed = got.is_ok();
    if (!passed) {
      EXPECT_TRUE(got.status().code() == ErrorCode::out_of_memory ||
                  got.status().code() == ErrorCode::internal);
    }
    both.device().fail_after(-1);
    both.expect_same_bits(inputs, Precision::bits(4));
  }
}

TEST(DeviceNetwork, GivesUpWhatItKeepsWhenMemoryIsShort) {
  OnBoth both(mlp({70, 60, 10}));
  both.expect_same_bits({vectors(40, 70)}, Precision::bits(4));
  both.device().limit_memory(both.device().bytes());
  // There is room for it only in place of the first.
  both.expect_same_bits({vectors(39, 70)}, Precision::bits(4));
  const auto more = both.on_device({vectors(4000, 70)}, Precision::bits(4));
  ASSERT_FALSE(more);
  EXPECT_EQ(more.status().code(), ErrorCode::out_of_memory);
  both.expect_same_bits({vectors(40, 70)}, Precision::bits(4));
}

TEST(DeviceWeights, TellConstantsApartThatBeginAtOneAddress) {
  const auto device = std::make_shared<testing::EmulatedDevice>();
  {
    DeviceWeights weights(device);
    const Tensor all = tensor_of({3, 2}, {1, 2, 3, 4, 5, 6});
    const Tensor first = Tensor::view(DType::f32, {2}, all.raw(), nullptr);
    for (const Tensor& tensor : {first, all, all.reshaped({6}), first}) {
      const Result<DeviceTensor> there = weights.constant(tensor);
      ASSERT_TRUE(there);
      EXPECT_EQ(there->shape(), tensor.shape());
      std::vector<float> got(static_cast<std::size_t>(tensor.size()));
      ASSERT_TRUE(device->copy_to_host(got.data(), there->data<void>(), there->bytes()));
      EXPECT_EQ(got, testing::values_of(tensor));
    }
  }
  EXPECT_EQ(device->held(), 0);
}

}  // namespace
}  // namespace pbatch
