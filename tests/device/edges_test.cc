// Networks at the edges of what a device runs: nothing to compute, no elements, values known
// before, the same data under several names, more shapes than are kept.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <thread>

#include "tests/device/both.h"
#include "tests/support/recurrent.h"

namespace pbatch {
namespace {

using testing::int64s;
using testing::OnBoth;
using testing::random_floats;
using testing::tensor_of;

Tensor some_edges(Shape shape, unsigned seed = 1) {
  std::int64_t size = 1;
  for (const std::int64_t d : shape) size *= d;
  return tensor_of(std::move(shape), random_floats(static_cast<std::size_t>(size), seed));
}

// A network with one input x of two dimensions.
struct Network {
  Graph graph;
  ValueId x;

  explicit Network(DType type = DType::f32) {
    graph.name = "edges";
    graph.opsets[""] = 13;
    x = graph.add_value(
        {.name = "x", .dtype = type, .dims = std::vector<Dim>{{-1, "N"}, {-1, "C"}}});
    graph.inputs = {x};
  }
  ValueId constant(const Tensor& tensor) {
    return graph.add_value({.name = "c" + std::to_string(graph.values.size()),
                            .dtype = tensor.dtype(),
                            .constant = tensor});
  }
  std::vector<ValueId> add(const std::string& op, std::vector<ValueId> inputs,
                           const std::map<std::string, Attribute>& attributes = {},
                           std::size_t outputs = 1) {
    Node node;
    node.name = op + std::to_string(graph.nodes.size());
    node.op_type = op;
    node.opset = 13;
    node.inputs = std::move(inputs);
    for (const auto& [name, value] : attributes) node.attributes[name] = value;
    for (std::size_t i = 0; i < outputs; ++i) {
      node.outputs.push_back(graph.add_value({.name = node.name + "." + std::to_string(i)}));
    }
    graph.nodes.push_back(node);
    return node.outputs;
  }
};

TEST(DeviceEdges, OutputsMayBeInputsConstantsViewsAndTheSameValueTwice) {
  Network n;
  const ValueId table = n.constant(some_edges({2, 3}));
  const ValueId view = n.add("Flatten", {n.x})[0];
  const ValueId relu = n.add("Relu", {view})[0];
  const ValueId shape = n.add("Shape", {n.x})[0];
  n.graph.outputs = {n.x, table, view, relu, relu, shape, n.x};
  OnBoth both(std::move(n.graph), {.planes = 0});
  both.expect_same_bits({some_edges({3, 4})}, Precision::f32());
  both.expect_same_bits({some_edges({3, 4}, 2)}, Precision::f32());
  both.expect_same_bits({some_edges({0, 4}, 2)}, Precision::f32());
}

TEST(DeviceEdges, AnInputMayBeUnused) {
  Network n;
  const ValueId unused = n.graph.add_value(
      {.name = "unused", .dtype = DType::f32, .dims = std::vector<Dim>{{-1, "M"}}});
  n.graph.inputs = {unused, n.x};
  n.graph.outputs = n.add("Neg", {n.x});
  OnBoth both(std::move(n.graph), {.planes = 0});
  both.expect_same_bits({some_edges({7}), some_edges({3, 4})}, Precision::f32());
}

TEST(DeviceEdges, TensorsOfNoElementsPassThroughOperators) {
  Network n;
  const auto parts =
      n.add("Split", {n.x, n.constant(int64s({0, 4}))}, {{"axis", std::int64_t{1}}}, 2);
  const ValueId sum = n.add("Add", {parts[0], n.constant(some_edges({1}))})[0];
  const ValueId wide = n.add("Add", {parts[1], n.constant(some_edges({4}))})[0];
  const ValueId soft = n.add("Softmax", {parts[0]})[0];
  const ValueId joined = n.add("Concat", {sum, wide, soft}, {{"axis", std::int64_t{1}}})[0];
  n.graph.outputs = {joined, sum, soft};
  OnBoth both(std::move(n.graph), {.planes = 0});
  both.expect_same_bits({some_edges({3, 4})}, Precision::f32());
  both.expect_same_bits({some_edges({0, 4})}, Precision::f32());
}

TEST(DeviceEdges, AMatrixWithoutColumnsGivesItsBias) {
  Network n;
  const ValueId product = n.add("MatMul", {n.x, n.constant(some_edges({0, 5}))})[0];
  n.graph.outputs = n.add("Add", {product, n.constant(some_edges({5}))});
  OnBoth both(std::move(n.graph), {.planes = 0});
  both.expect_near({some_edges({3, 0})}, Precision::f32(), 0);
}

TEST(DeviceEdges, MatricesOfTheSameDataKeepTheirShapes) {
  Network n;
  const Tensor w = some_edges({4, 6});
  const ValueId h = n.add("MatMul", {n.x, n.constant(w)})[0];
  n.graph.outputs = n.add("MatMul", {h, n.constant(w.reshaped({6, 4}))});
  OnBoth both(std::move(n.graph), {.planes = 0});
  both.expect_near({some_edges({3, 4}, 2)}, Precision::f32(), 1e-4F);
}

TEST(DeviceEdges, ConstantsOfTheSameDataKeepTheirShapes) {
  Network n;
  const Tensor w = some_edges({2, 6});
  const ValueId a = n.add("Add", {n.x, n.constant(w)})[0];
  const ValueId b = n.add("Reshape", {a, n.constant(int64s({3, 4}))})[0];
  n.graph.outputs = n.add("Mul", {b, n.constant(w.reshaped({3, 4}))});
  OnBoth both(std::move(n.graph), {.planes = 0});
  both.expect_same_bits({some_edges({2, 6}, 2)}, Precision::f32());
}

TEST(DeviceEdges, OperatorsOfTheCpuMayComputeShapes) {
  Network n;
  const ValueId shape = n.add("Shape", {n.x})[0];
  const ValueId narrow = n.add("Cast", {shape}, {{"to", std::int64_t{6}}})[0];  // int32
  const ValueId wide = n.add("Cast", {narrow}, {{"to", std::int64_t{7}}})[0];   // int64
  n.graph.outputs = n.add("Expand", {n.constant(some_edges({1})), wide});
  n.graph.outputs.push_back(n.add("Reshape", {n.add("Neg", {n.x})[0], wide})[0]);
  OnBoth both(std::move(n.graph), {.planes = 0});
  both.expect_same_bits({some_edges({3, 4})}, Precision::f32());
}

TEST(DeviceEdges, RunsOfOtherTypesAreKeptApart) {
  Network n(DType::i64);
  n.graph.outputs = n.add("Gather", {n.constant(some_edges({9, 5})), n.x});
  OnBoth both(std::move(n.graph), {.planes = 0});
  for (int round = 0; round < 2; ++round) {
    both.expect_same_bits({testing::make_tensor<std::int64_t>(DType::i64, {2, 2}, {1, 8, -9, 3})},
                          Precision::f32());
    both.expect_same_bits({testing::make_tensor<std::int32_t>(DType::i32, {2, 2}, {4, 0, -1, 2})},
                          Precision::f32());
  }
}

TEST(DeviceEdges, ABadIndexNamesItsNode) {
  Network n(DType::i64);
  const ValueId ids = n.add("Transpose", {n.x})[0];
  n.graph.outputs = n.add("Gather", {n.constant(some_edges({9, 5})), ids});
  OnBoth both(std::move(n.graph), {.planes = 0});
  const auto got = both.on_device(
      {testing::make_tensor<std::int64_t>(DType::i64, {1, 2}, {1, -10})}, Precision::f32());
  ASSERT_FALSE(got);
  EXPECT_EQ(got.status().code(), ErrorCode::invalid_argument);
  EXPECT_EQ(got.status().node(), "Gather1");
}

TEST(DeviceEdges, OnlyRowsArePickedByComputedIndices) {
  Network n(DType::i64);
  n.graph.outputs =
      n.add("Gather", {n.constant(some_edges({9, 5})), n.x}, {{"axis", std::int64_t{1}}});
  OnBoth both(std::move(n.graph), {.planes = 0});
  const auto got = both.on_device({testing::make_tensor<std::int64_t>(DType::i64, {1, 2}, {1, 4})},
                                  Precision::f32());
  ASSERT_FALSE(got);
  EXPECT_EQ(got.status().code(), ErrorCode::unsupported);
}

TEST(DeviceEdges, ShapesThatTheNetworkIsFedAreRefused) {
  Network n(DType::i64);
  n.graph.outputs = n.add("Reshape", {n.constant(some_edges({4, 5})), n.add("Flatten", {n.x})[0]});
  OnBoth both(std::move(n.graph), {.planes = 0});
  const auto got = both.on_device({testing::make_tensor<std::int64_t>(DType::i64, {2, 1}, {5, 4})},
                                  Precision::f32());
  ASSERT_FALSE(got);
  EXPECT_EQ(got.status().code(), ErrorCode::unsupported);
  EXPECT_NE(got.status().message().find("decides on shapes"), std::string::npos);
}

TEST(DeviceEdges, SoftmaxOfSmallNumbersIsNoZero) {
  for (const char* op : {"Softmax", "LogSoftmax"}) {
    Network n;
    n.graph.outputs = n.add(op, {n.add("Sub", {n.x, n.constant(tensor_of({1}, {200}))})[0]});
    OnBoth both(std::move(n.graph), {.planes = 0});
    both.expect_near({some_edges({2, 37})}, Precision::f32(), 2e-5F);
  }
}

TEST(DeviceEdges, FloatMatricesHaveTheirActivations) {
  OnBoth both(testing::mlp({9, 8, 7}), {.planes = 0});
  both.expect_near({some_edges({3, 9})}, Precision::f32(), 1e-5F);
}

TEST(DeviceEdges, WhatANodeAloneSaysIsRefusedBeforeAnyRun) {
  const auto refusal = [](int opset, const std::string& op, std::size_t inputs, const char* how) {
    Network n;
    n.graph.opsets[""] = opset;
    n.graph.outputs = n.add(op, std::vector<ValueId>(inputs, n.x));
    n.graph.nodes[0].opset = opset;
    if (how != nullptr) n.graph.nodes[0].attributes["approximate"] = std::string(how);
    return OnBoth(std::move(n.graph), {.planes = 0}).refusal();
  };
  EXPECT_TRUE(refusal(20, "Gelu", 1, nullptr));
  EXPECT_EQ(refusal(20, "Gelu", 1, "tanh").code(), ErrorCode::unsupported);
  EXPECT_TRUE(refusal(13, "Max", 2, nullptr));
  EXPECT_EQ(refusal(13, "Max", 3, nullptr).code(), ErrorCode::unsupported);
  EXPECT_EQ(refusal(13, "Min", 1, nullptr).node(), "Min0");
}

TEST(DeviceEdges, ElementsOfEverySizeMove) {
  const auto move = [](DType type, const Tensor& x) {
    Network n(type);
    n.graph.outputs = n.add("Transpose", {n.x});
    OnBoth(std::move(n.graph), {.planes = 0}).expect_same_bits({x}, Precision::f32());
  };
  move(DType::boolean,
       testing::make_tensor<std::uint8_t>(DType::boolean, {2, 3}, {1, 0, 0, 1, 1, 0}));
  move(DType::i16,
       testing::make_tensor<std::int16_t>(DType::i16, {2, 3}, {1, -2, 300, 4, 5, -600}));
  move(DType::i64, testing::make_tensor<std::int64_t>(DType::i64, {2, 3},
                                                      {1, -2, std::int64_t{1} << 40, 4, 5, -6}));
}

TEST(DeviceEdges, LargerAndSmallerKeepNaN) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const char* op : {"Max", "Min"}) {
    Network n;
    n.graph.outputs = n.add(op, {n.x, n.constant(tensor_of({3}, {1, nan, -1}))});
    OnBoth both(std::move(n.graph), {.planes = 0});
    const auto got = both.on_device({tensor_of({1, 3}, {nan, 2, 3})}, Precision::f32());
    ASSERT_TRUE(got);
    EXPECT_TRUE(std::isnan(got->front().data<float>()[0])) << op;
    EXPECT_TRUE(std::isnan(got->front().data<float>()[1])) << op;
    EXPECT_FALSE(std::isnan(got->front().data<float>()[2])) << op;
  }
}

TEST(DeviceEdges, MoreShapesThanAreKeptRunAll) {
  OnBoth both(testing::mlp({9, 7}));
  for (int round = 0; round < 2; ++round) {
    for (std::int64_t batch = 1; batch <= 36; ++batch) {
      both.expect_same_bits({some_edges({batch, 9})}, Precision::bits(3));
    }
  }
}

TEST(DeviceEdges, PlanesAreAddedWhileOthersRun) {
  OnBoth both(testing::mlp({70, 60, 10}));
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&both, i] {
      const Tensor x = some_edges({1, 70}, static_cast<unsigned>(i));
      for (int round = 0; round < 12; ++round) {
        Precision precision = Precision::bits(1 + (5 * i + round) % 12);
        precision.layers["fc1"] = {1 + (3 * i + 7 * round) % 12, 8};
        EXPECT_TRUE(both.plan({x}, precision));
        both.expect_same_bits({x}, precision);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(DeviceEdges, FloatWeightsOfOneLayerAreRefusedByItsName) {
  OnBoth both(testing::mlp({70, 60, 10}));
  Precision precision = Precision::bits(4);
  precision.layers["fc1"] = {32, 32};
  const auto got = both.on_device({some_edges({1, 70})}, precision);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.status().code(), ErrorCode::unsupported);
  EXPECT_EQ(got.status().node(), "fc1");
}

TEST(DeviceEdges, PreparingNamesTheLayerThatHasTooFewPlanes) {
  OnBoth both(testing::mlp({70, 60, 10}), {.planes = 4, .min_elements = 1});
  Precision precision = Precision::bits(4);
  precision.layers["fc1"] = {5, 8};
  const Status status = both.plan({some_edges({1, 70})}, precision).status();
  EXPECT_EQ(status.code(), ErrorCode::precision_unavailable);
  EXPECT_EQ(status.node(), "fc1");
}

TEST(DeviceEdges, PlanNamesWhatIsBuilt) {
  OnBoth both(testing::mlp({70, 60, 10}));
  const auto steps = both.plan({some_edges({3, 70})}, Precision::bits(4, 8));
  ASSERT_TRUE(steps) << steps.status().to_line();
  ASSERT_EQ(steps->size(), 2u);
  const PlanStep& first = steps->front();
  EXPECT_EQ(first.node, "fc0");
  EXPECT_EQ(first.op_type, "BitLinear");
  EXPECT_EQ(first.kernel.rfind("cuda_", 0), 0u) << first.kernel;
  EXPECT_EQ(first.weight_bits, 4);
  EXPECT_EQ(first.activation_bits, 8);
  EXPECT_EQ(first.rows, 60);
  EXPECT_EQ(first.cols, 70);
  EXPECT_EQ(first.shape, (Shape{3, 60}));
  EXPECT_EQ(first.macs, 3 * 60 * 70);
  EXPECT_GT(first.weight_bytes, 0);
}

TEST(DeviceEdges, PreparingGivesUpRunsWhenMemoryIsShort) {
  OnBoth both(testing::mlp({70, 60, 10}));
  both.expect_same_bits({some_edges({40, 70})}, Precision::bits(4));
  // There is room for the scales of another width only in place of the run.
  both.device().limit_memory(both.device().bytes());
  const Status prepared = both.plan({some_edges({1, 70})}, Precision::bits(8)).status();
  EXPECT_TRUE(prepared) << prepared.to_line();
  both.expect_same_bits({some_edges({1, 70})}, Precision::bits(8));
}

}  // namespace
}  // namespace pbatch
