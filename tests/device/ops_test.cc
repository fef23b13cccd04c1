// Operators between the matrices, on the emulated device, against the host's operators, which
// ONNX's own tests check.
#include <gtest/gtest.h>

#include "tests/device/both.h"

namespace pbatch {
namespace {

using testing::floats;
using testing::int64s;
using testing::OnBoth;
using testing::random_floats;
using testing::tensor_of;

// One node; some of its inputs are the network's, the others constants.
class OneNode {
 public:
  explicit OneNode(const std::string& op_type, int opset = 13) {
    graph_.name = "one";
    graph_.opsets[""] = opset;
    node_.name = "node";
    node_.op_type = op_type;
    node_.opset = opset;
  }
  OneNode& input(const Tensor& tensor) {
    std::vector<Dim> dims;
    for (const std::int64_t d : tensor.shape()) dims.push_back({d, ""});
    const ValueId id = graph_.add_value({.name = "x" + std::to_string(inputs_.size()),
                                         .dtype = tensor.dtype(),
                                         .dims = std::move(dims)});
    graph_.inputs.push_back(id);
    node_.inputs.push_back(id);
    inputs_.push_back(tensor);
    return *this;
  }
  OneNode& constant(const Tensor& tensor) {
    node_.inputs.push_back(graph_.add_value({.name = "c" + std::to_string(node_.inputs.size()),
                                             .dtype = tensor.dtype(),
                                             .constant = tensor}));
    return *this;
  }
  OneNode& absent() {
    node_.inputs.push_back(kNoValue);
    return *this;
  }
  OneNode& attr(const std::string& name, Attribute value) {
    node_.attributes[name] = std::move(value);
    return *this;
  }
  Graph graph(std::size_t outputs = 1) const {
    Graph graph = graph_;
    Node node = node_;
    for (std::size_t i = 0; i < outputs; ++i) {
      node.outputs.push_back(graph.add_value({.name = "y" + std::to_string(i)}));
      graph.outputs.push_back(node.outputs.back());
    }
    graph.nodes.push_back(std::move(node));
    return graph;
  }
  void expect_near(float tolerance = 1e-6F) {
    OnBoth(graph(), {.planes = 0}).expect_near(inputs_, Precision::f32(), tolerance);
  }
  void expect_same_bits(std::size_t outputs = 1) {
    OnBoth(graph(outputs), {.planes = 0}).expect_same_bits(inputs_, Precision::f32());
  }
  /// The error of a run.
  Status error() {
    OnBoth both(graph(), {.planes = 0});
    if (!both.refusal()) return both.refusal();
    return both.on_device(inputs_, Precision::f32()).status();
  }

 private:
  Graph graph_;
  Node node_;
  std::vector<Tensor> inputs_;
};

Tensor some(Shape shape, unsigned seed = 1) {
  std::int64_t size = 1;
  for (const std::int64_t d : shape) size *= d;
  return tensor_of(std::move(shape), random_floats(static_cast<std::size_t>(size), seed));
}
Tensor positive(Shape shape) {
  Tensor t = some(std::move(shape));
  for (std::int64_t i = 0; i < t.size(); ++i) {
    t.mutable_data<float>()[i] = std::abs(t.mutable_data<float>()[i]) + 0.1F;
  }
  return t;
}

// From one table, element_functions.inc. On a device log, log1p and exp of Softplus are its own
// library's.
TEST(DeviceOps, FunctionsOfOneNumber) {
  for (const char* op :
       {"Abs", "Elu", "Erf", "Exp", "HardSigmoid", "HardSwish", "LeakyRelu", "Neg", "Relu", "Selu",
        "Shrink", "Sigmoid", "Softplus", "Softsign", "Tanh", "ThresholdedRelu"}) {
    SCOPED_TRACE(op);
    OneNode(op, 14).input(some({3, 5, 7})).expect_same_bits();
  }
  for (const char* op : {"Log", "Reciprocal", "Sqrt"}) {
    SCOPED_TRACE(op);
    OneNode(op).input(positive({4, 9})).expect_same_bits();
  }
  OneNode("Gelu", 20).input(some({4, 9})).expect_same_bits();
  OneNode("Elu").attr("alpha", 0.3F).input(some({40})).expect_same_bits();
  OneNode("LeakyRelu").attr("alpha", 0.3F).input(some({40})).expect_same_bits();
  OneNode("HardSigmoid")
      .attr("alpha", 0.4F)
      .attr("beta", 0.1F)
      .input(some({40}))
      .expect_same_bits();
  OneNode("Selu").attr("alpha", 1.1F).attr("gamma", 2.0F).input(some({40})).expect_same_bits();
}

TEST(DeviceOps, Clip) {
  OneNode("Clip", 6).attr("min", -0.5F).attr("max", 0.25F).input(some({40})).expect_same_bits();
  OneNode("Clip").input(some({40})).constant(floats({}, {-0.1F})).expect_same_bits();
  OneNode("Clip").input(some({40})).absent().constant(floats({}, {0.1F})).expect_same_bits();
  EXPECT_EQ(OneNode("Clip").input(some({40})).input(floats({}, {0.1F})).error().code(),
            ErrorCode::unsupported);
}

TEST(DeviceOps, FunctionsOfTwoNumbersBroadcast) {
  for (const char* op : {"Add", "Sub", "Mul", "Div", "Max", "Min"}) {
    SCOPED_TRACE(op);
    OneNode(op).input(some({2, 3, 4})).input(positive({2, 3, 4})).expect_same_bits();
    OneNode(op).input(some({2, 3, 4})).constant(positive({4})).expect_same_bits();
    OneNode(op).constant(some({3, 1})).input(positive({2, 1, 4})).expect_same_bits();
    OneNode(op).input(some({5})).constant(floats({}, {2})).expect_same_bits();
  }
  EXPECT_EQ(OneNode("Add").input(some({3})).input(some({4})).error().code(),
            ErrorCode::shape_mismatch);
}

TEST(DeviceOps, Softmax) {
  for (const char* op : {"Softmax", "LogSoftmax"}) {
    SCOPED_TRACE(op);
    OneNode(op).input(some({3, 70})).expect_near(2e-6F);
    OneNode(op).attr("axis", std::int64_t{1}).input(some({3, 7})).expect_near(2e-6F);
    OneNode(op, 11).input(some({3, 5, 7})).expect_near(2e-6F);
    OneNode(op, 11).attr("axis", std::int64_t{2}).input(some({3, 5})).expect_near(2e-6F);
    EXPECT_EQ(OneNode(op).attr("axis", std::int64_t{0}).input(some({3, 5})).error().code(),
              ErrorCode::unsupported);
  }
}

TEST(DeviceOps, MovementsKeepEveryElement) {
  const Tensor x = some({2, 3, 4});
  OneNode("Identity").input(x).expect_same_bits();
  OneNode("Flatten").input(x).expect_same_bits();
  OneNode("Reshape").input(x).constant(int64s({0, -1})).expect_same_bits();
  OneNode("Squeeze").input(some({2, 1, 4})).constant(int64s({1})).expect_same_bits();
  OneNode("Squeeze", 11)
      .attr("axes", std::vector<std::int64_t>{1})
      .input(some({2, 1, 4}))
      .expect_same_bits();
  OneNode("Unsqueeze").input(x).constant(int64s({0, 4})).expect_same_bits();
  OneNode("Transpose").input(x).expect_same_bits();
  OneNode("Transpose").attr("perm", std::vector<std::int64_t>{1, 0, 2}).input(x).expect_same_bits();
  OneNode("Slice")
      .input(x)
      .constant(int64s({2, 0}))
      .constant(int64s({-9, 3}))
      .constant(int64s({1, 2}))
      .constant(int64s({-1, 2}))
      .expect_same_bits();
  OneNode("Split")
      .attr("axis", std::int64_t{2})
      .input(x)
      .constant(int64s({1, 3}))
      .expect_same_bits(2);
  OneNode("Expand").input(some({3, 1})).constant(int64s({2, 3, 4})).expect_same_bits();
  OneNode("Tile").input(some({3, 2})).constant(int64s({2, 3})).expect_same_bits();
  OneNode("Gather")
      .attr("axis", std::int64_t{1})
      .input(x)
      .constant(int64s({2, 0, 2, -1}))
      .expect_same_bits();
  OneNode("Dropout").input(x).expect_same_bits(2);
}

TEST(DeviceOps, ConcatTakesEveryInputsElements) {
  for (const std::int64_t axis : {0, 1, -1}) {
    OneNode("Concat")
        .attr("axis", axis)
        .input(some({2, 3, 4}))
        .input(some({2, 3, 4}, 2))
        .constant(some({2, 3, 4}, 3))
        .expect_same_bits();
  }
  OneNode("Concat")
      .attr("axis", std::int64_t{1})
      .input(some({2, 1}))
      .input(some({2, 5}, 2))
      .expect_same_bits();
}

TEST(DeviceOps, IntegersMoveToo) {
  const Tensor ids = testing::make_tensor<std::int64_t>(DType::i64, {2, 3}, {1, 2, 3, 4, 5, 6});
  OneNode("Transpose").input(ids).expect_same_bits();
  const Tensor bytes = testing::make_tensor<std::uint8_t>(DType::u8, {2, 3}, {1, 2, 3, 4, 5, 6});
  OneNode("Transpose").input(bytes).expect_same_bits();
}

TEST(DeviceOps, RowsOfATable) {
  const Tensor table = some({11, 5});
  const auto ids = [](const std::vector<std::int64_t>& v) {
    return testing::make_tensor<std::int64_t>(DType::i64, {2, 2}, v);
  };
  OneNode("Gather").constant(table).input(ids({0, 10, -1, -11})).expect_same_bits();
  const Tensor narrow = testing::make_tensor<std::int32_t>(DType::i32, {3}, {3, -2, 10});
  OneNode("Gather").constant(table).input(narrow).expect_same_bits();
  const Status bad = OneNode("Gather").constant(table).input(ids({0, 11, 0, 0})).error();
  EXPECT_EQ(bad.code(), ErrorCode::invalid_argument);
  EXPECT_EQ(bad.node(), "node");
}

TEST(DeviceOps, RowsOfBitLayers) {
  std::vector<std::int64_t> ids;
  for (std::int64_t i = -75; i < 75; i += 7) ids.push_back(i);
  OneNode node("Gather");
  node.constant(some({75, 300})).input(int64s(ids));
  for (const int group : {32, 64, 128, 0}) {
    OnBoth both(node.graph(), {.planes = 16, .group = group, .min_elements = 1});
    for (const int bits : {1, 2, 7, 8, 9, 16, 32}) {
      both.expect_same_bits({int64s(ids)}, Precision::bits(bits));
    }
  }
}

TEST(DeviceOps, ShapesAreKnownWhenTheRunIsBuilt) {
  // y = reshape(x, [shape(x)[1], -1])
  Graph graph;
  graph.name = "shapes";
  graph.opsets[""] = 13;
  const auto add = [&](const std::string& op, std::vector<ValueId> inputs) {
    Node node;
    node.name = op;
    node.op_type = op;
    node.opset = 13;
    node.inputs = std::move(inputs);
    node.outputs = {graph.add_value({.name = op + ".y"})};
    if (op == "Concat") node.attributes["axis"] = std::int64_t{0};
    graph.nodes.push_back(node);
    return graph.nodes.back().outputs[0];
  };
  const auto constant = [&](const std::string& name, std::int64_t value) {
    return graph.add_value({.name = name, .dtype = DType::i64, .constant = int64s({value})});
  };
  const ValueId x = graph.add_value({.name = "x", .dims = std::vector<Dim>{{-1, "N"}, {-1, "C"}}});
  graph.inputs = {x};
  const ValueId shape = add("Shape", {x});
  const ValueId cols = add("Gather", {shape, constant("one", 1)});
  const ValueId wanted = add("Concat", {cols, constant("rest", -1)});
  graph.outputs = {add("Reshape", {add("Relu", {x}), wanted}), shape};
  OnBoth both(std::move(graph), {.planes = 0});
  both.expect_same_bits({some({3, 4})}, Precision::f32());
  both.expect_same_bits({some({5, 2})}, Precision::f32());
}

}  // namespace
}  // namespace pbatch
