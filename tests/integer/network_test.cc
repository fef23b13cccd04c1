// Networks in integers: near the float network, refused with one line where they cannot be.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "pbatch/quantize.h"
#include "pbatch/session.h"
#include "tests/support/networks.h"

namespace pbatch::testing {
namespace {

// Nodes one behind the other.
class Chain {
 public:
  Chain(Shape shape, int opset) : opset_(opset) {
    std::vector<Dim> dims;
    for (const std::int64_t d : shape) dims.push_back({d, ""});
    graph_.name = "chain";
    graph_.opsets[""] = opset;
    last_ = graph_.add_value({.name = "x", .dtype = DType::f32, .dims = dims});
    graph_.inputs = {last_};
  }
  ValueId constant(Shape shape, unsigned seed, float scale) {
    std::int64_t count = 1;
    for (const std::int64_t d : shape) count *= d;
    std::vector<float> v = random_floats(static_cast<std::size_t>(count), seed);
    for (float& f : v) f *= scale;
    return constant(tensor_of(std::move(shape), v));
  }
  ValueId constant(Tensor value) {
    return graph_.add_value(
        {.name = "c" + std::to_string(graph_.values.size()), .constant = std::move(value)});
  }
  Chain& add(const std::string& op, std::vector<ValueId> others = {},
             std::map<std::string, Attribute> attributes = {}) {
    Node node;
    node.name = op + std::to_string(graph_.nodes.size());
    node.op_type = op;
    node.opset = opset_;
    node.inputs = {last_};
    node.inputs.insert(node.inputs.end(), others.begin(), others.end());
    node.attributes = std::move(attributes);
    last_ = graph_.add_value({.name = "v" + std::to_string(graph_.nodes.size())});
    node.outputs = {last_};
    graph_.nodes.push_back(std::move(node));
    return *this;
  }
  ValueId last() const { return last_; }
  std::string write(const std::string& name) {
    graph_.outputs = {last_};
    const std::string path = temp_path(name);
    write_onnx(graph_, path);
    return path;
  }

 private:
  Graph graph_;
  int opset_;
  ValueId last_ = kNoValue;
};

Result<Session> quantized(const std::string& path, double reach = 4, std::int64_t least = 64) {
  QuantizeOptions options;
  options.planes = 16;
  options.min_elements = least;
  options.scheme = Scheme::plain;
  if (reach > 0) options.input_ranges = {{"x", -reach, reach}};
  return Session::quantize_in_memory(path, options, {.threads = 1});
}

// The greatest error of a run in integers, of the greatest float answer.
double error_of(const std::string& path, const Shape& shape, const Precision& precision) {
  const auto session = quantized(path);
  const auto floats = Session::load(path, {.threads = 1});
  EXPECT_TRUE(session) << session.status().to_line();
  EXPECT_TRUE(floats) << floats.status().to_line();
  if (!session || !floats) return INFINITY;
  std::int64_t count = 1;
  for (const std::int64_t d : shape) count *= d;
  std::vector<float> values = random_floats(static_cast<std::size_t>(count), 77);
  for (float& v : values) v = std::clamp(v, -4.0F, 4.0F);
  const std::vector<NamedTensor> inputs{{"x", tensor_of(shape, values)}};
  const auto made = session->run(inputs, precision);
  const auto wanted = floats->run(inputs, Precision::f32());
  EXPECT_TRUE(made) << made.status().to_line();
  EXPECT_TRUE(wanted) << wanted.status().to_line();
  if (!made || !wanted) return INFINITY;
  EXPECT_EQ((*made)[0].shape(), (*wanted)[0].shape());
  double worst = 0, most = 0;
  for (std::int64_t i = 0; i < (*wanted)[0].size(); ++i) {
    const double real = (*wanted)[0].data<float>()[i];
    worst = std::max(worst, std::fabs((*made)[0].data<float>()[i] - real));
    most = std::max(most, std::fabs(real));
  }
  return worst / most;
}

TEST(IntegerNetwork, ThreadsGiveTheSameBits) {
  const std::string path = temp_path("threads.onnx");
  write_onnx(mlp({520, 512, 10}), path);
  QuantizeOptions options;
  options.scheme = Scheme::plain;
  options.input_ranges = {{"x", -4, 4}};
  for (const std::int64_t batch : {1, 7}) {
    std::vector<float> values = random_floats(static_cast<std::size_t>(520 * batch), 5);
    for (float& v : values) v = std::clamp(v, -4.0F, 4.0F);
    std::vector<Tensor> answers;
    for (const int threads : {1, 3}) {
      const auto session = Session::quantize_in_memory(path, options, {.threads = threads});
      ASSERT_TRUE(session) << session.status().to_line();
      const std::vector<NamedTensor> inputs{{"x", tensor_of({batch, 520}, values)}};
      const auto made = session->run(inputs, Precision::integer(8, 16));
      ASSERT_TRUE(made) << made.status().to_line();
      answers.push_back((*made)[0]);
    }
    EXPECT_EQ(0, std::memcmp(answers[0].raw(), answers[1].raw(), answers[0].bytes())) << batch;
  }
}

TEST(IntegerNetwork, FullyConnected) {
  const std::string path = temp_path("mlp.onnx");
  write_onnx(mlp({40, 64, 32, 10}), path);
  EXPECT_LT(error_of(path, {3, 40}, Precision::integer(16, 16)), 2e-3);
  EXPECT_LT(error_of(path, {3, 40}, Precision::integer(8, 16)), 0.03);
  EXPECT_LT(error_of(path, {3, 40}, Precision::integer(8, 8)), 0.2);
}

TEST(IntegerNetwork, Convolutions) {
  Chain c({2, 3, 9, 8}, 13);
  c.add("Conv", {c.constant({16, 3, 3, 3}, 1, 0.2F), c.constant({16}, 2, 0.5F)},
        {{"pads", std::vector<std::int64_t>{1, 1, 1, 1}}})
      .add("Relu")
      .add("MaxPool", {},
           {{"kernel_shape", std::vector<std::int64_t>{2, 2}},
            {"strides", std::vector<std::int64_t>{2, 2}}})
      .add("Conv", {c.constant({16, 1, 3, 3}, 3, 0.3F)},
           {{"group", std::int64_t{16}},
            {"dilations", std::vector<std::int64_t>{1, 1}},
            {"pads", std::vector<std::int64_t>{1, 1, 1, 1}}})
      .add("Conv", {c.constant({20, 16, 1, 1}, 4, 0.3F)})
      .add("AveragePool", {},
           {{"kernel_shape", std::vector<std::int64_t>{3, 3}},
            {"pads", std::vector<std::int64_t>{1, 1, 1, 1}}})
      .add("Sigmoid")
      .add("GlobalAveragePool")
      .add("Flatten");
  const std::string path = c.write("conv.onnx");
  EXPECT_LT(error_of(path, {2, 3, 9, 8}, Precision::integer(16, 16)), 2e-3);
  EXPECT_LT(error_of(path, {2, 3, 9, 8}, Precision::integer(8, 8)), 0.03);
}

TEST(IntegerNetwork, RowsAndMovements) {
  Chain c({2, 6, 32}, 17);
  const ValueId x = c.last();
  c.add("LayerNormalization", {c.constant({32}, 1, 1), c.constant({32}, 2, 0.3F)})
      .add("MatMul", {c.constant({32, 32}, 3, 0.2F)});
  const ValueId q = c.last();
  c.add("Transpose", {}, {{"perm", std::vector<std::int64_t>{0, 2, 1}}});
  const ValueId k = c.last();
  c.add("Transpose", {}, {{"perm", std::vector<std::int64_t>{0, 2, 1}}})
      .add("MatMul", {k})
      .add("Mul", {c.constant({1}, 4, 0.1F)})
      .add("Softmax", {}, {{"axis", std::int64_t{-1}}})
      .add("MatMul", {q})
      .add("Add", {x})
      .add("Tanh")
      .add("Concat", {q}, {{"axis", std::int64_t{2}}})
      .add("ReduceMean", {},
           {{"axes", std::vector<std::int64_t>{1}}, {"keepdims", std::int64_t{0}}});
  const std::string path = c.write("rows.onnx");
  EXPECT_LT(error_of(path, {2, 6, 32}, Precision::integer(16, 16)), 0.01);
}

TEST(IntegerNetwork, SamplesGiveScales) {
  const std::string path = temp_path("mlp.onnx");
  write_onnx(mlp({40, 64, 32, 10}), path);
  QuantizeOptions options;
  options.min_elements = 64;
  options.scheme = Scheme::plain;
  options.samples = {{"x", tensor_of({200, 40}, random_floats(200 * 40, 5)), false}};
  const auto session = Session::quantize_in_memory(path, options, {.threads = 1});
  ASSERT_TRUE(session) << session.status().to_line();
  const auto floats = Session::load(path, {.threads = 1});
  const std::vector<NamedTensor> inputs{{"x", tensor_of({50, 40}, random_floats(50 * 40, 6))}};
  const auto made = session->run(inputs, Precision::integer(8, 8));
  const auto wanted = floats->run(inputs, Precision::f32());
  ASSERT_TRUE(made) << made.status().to_line();
  double error = 0, signal = 0;
  for (std::int64_t i = 0; i < 500; ++i) {
    error += std::pow((*made)[0].data<float>()[i] - (*wanted)[0].data<float>()[i], 2);
    signal += std::pow((*wanted)[0].data<float>()[i], 2);
  }
  EXPECT_LT(std::sqrt(error / signal), 0.03);
}

// What a Reshape moves has the range that the product behind it saw, not the L1 bound of 400 terms.
TEST(IntegerNetwork, RangesAreOfWhatIsMoved) {
  Chain c({1, 400}, 17);
  const auto shape = [&c](std::vector<std::int64_t> dims) {
    Tensor t = *Tensor::create(DType::i64, {static_cast<std::int64_t>(dims.size())});
    std::copy(dims.begin(), dims.end(), t.mutable_data<std::int64_t>());
    return c.constant(std::move(t));
  };
  c.add("MatMul", {c.constant({400, 400}, 1, 0.05F)})
      .add("Relu")
      .add("Reshape", {shape({1, 1, 400})})
      .add("MatMul", {c.constant({400, 400}, 2, 0.05F)})
      .add("Relu")
      .add("Reshape", {shape({1, 400})})
      .add("MatMul", {c.constant({400, 10}, 3, 0.05F)});
  const std::string path = c.write("moved.onnx");
  QuantizeOptions options;
  options.min_elements = 64;
  options.scheme = Scheme::plain;
  options.samples = {{"x", tensor_of({100, 400}, random_floats(100 * 400, 5)), false}};
  const auto session = Session::quantize_in_memory(path, options, {.threads = 1});
  ASSERT_TRUE(session) << session.status().to_line();
  const auto floats = Session::load(path, {.threads = 1});
  double error = 0, signal = 0;
  for (unsigned seed = 0; seed < 20; ++seed) {
    const std::vector<NamedTensor> inputs{
        {"x", tensor_of({1, 400}, random_floats(400, 100 + seed))}};
    const auto made = session->run(inputs, Precision::integer(8, 8));
    const auto wanted = floats->run(inputs, Precision::f32());
    ASSERT_TRUE(made) << made.status().to_line();
    for (std::int64_t i = 0; i < 10; ++i) {
      error += std::pow((*made)[0].data<float>()[i] - (*wanted)[0].data<float>()[i], 2);
      signal += std::pow((*wanted)[0].data<float>()[i], 2);
    }
  }
  EXPECT_LT(std::sqrt(error / signal), 0.03);
}

TEST(IntegerNetwork, SaysWhatItCannot) {
  const std::string path = temp_path("mlp.onnx");
  write_onnx(mlp({40, 64, 10}), path);
  const std::vector<NamedTensor> inputs{{"x", tensor_of({1, 40}, random_floats(40, 1))}};
  const auto no_range = quantized(path, 0);
  ASSERT_TRUE(no_range);
  const auto missing = no_range->run(inputs, Precision::integer(8, 8));
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.status().to_line().find("range of input 'x'"), std::string::npos);
  EXPECT_NE(missing.status().to_line().find("--input-range"), std::string::npos);
  EXPECT_TRUE(no_range->run(inputs, Precision::bits(8, 8)));

  const auto session = quantized(path);
  EXPECT_FALSE(session->run(inputs, Precision::integer(8, 32)));
  EXPECT_FALSE(session->run(inputs, Precision::integer(32, 16)));
  const auto floats = Session::load(path, {.threads = 1});
  EXPECT_FALSE(floats->run(inputs, Precision::integer(8, 8)));

  Graph graph = mlp({40, 64, 10});
  Node hard;
  hard.name = "hard";
  hard.op_type = "Hardmax";
  hard.opset = 13;
  hard.inputs = {graph.outputs[0]};
  hard.outputs = {graph.add_value({.name = "z"})};
  graph.outputs = {hard.outputs[0]};
  graph.nodes.push_back(hard);
  const std::string other = temp_path("hard.onnx");
  write_onnx(graph, other);
  const auto refusing = quantized(other);
  ASSERT_TRUE(refusing) << refusing.status().to_line();
  const auto refused = refusing->run(inputs, Precision::integer(8, 8));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.status().node(), "hard");
}

// Through three wide layers an L1 bound leaves nothing of 8 bits, and of 16 enough.
TEST(IntegerNetwork, EightBitsOfAWideBoundAreRefused) {
  const std::string path = temp_path("wide.onnx");
  write_onnx(mlp({400, 400, 400, 400, 10}), path);
  const Result<Session> session = quantized(path);
  ASSERT_TRUE(session) << session.status().to_line();
  const NamedTensor x{"x", tensor_of({1, 400}, random_floats(400, 3))};
  const auto refused = session->run({&x, 1}, Precision::integer(8, 8));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.status().code(), ErrorCode::invalid_argument);
  EXPECT_EQ(refused.status().node(), "fc2");
  EXPECT_NE(refused.status().to_line().find("--samples"), std::string::npos);
  EXPECT_LT(error_of(path, {1, 400}, Precision::integer(8, 16)), 0.1);
}

// 2^48 ways lead from the last layer to the input.
TEST(IntegerNetwork, ManyAdditionsAreWalkedOnce) {
  Chain c({1, 32}, 17);
  const ValueId half = c.constant(tensor_of({1}, {0.5F}));
  for (int i = 0; i < 48; ++i) c.add("Add", {c.last()}).add("Mul", {half});
  c.add("MatMul", {c.constant({32, 32}, 2, 0.2F)});
  EXPECT_LT(error_of(c.write("adds.onnx"), {1, 32}, Precision::integer(8, 8)), 0.1);
}

TEST(IntegerNetwork, BoundsAreL1NormsOfCodes) {
  const std::string path = temp_path("mlp.onnx");
  write_onnx(mlp({40, 64, 10}), path);
  const auto session = quantized(path);
  const auto bounds = session->accumulators(Precision::integer(4, 8));
  ASSERT_TRUE(bounds) << bounds.status().to_line();
  ASSERT_EQ(bounds->size(), 2U);
  for (const AccumulatorBound& b : *bounds) {
    EXPECT_GT(b.largest, 0);
    EXPECT_LE(b.largest, 255.0 * 15 * 255 * static_cast<double>(b.cols));
    EXPECT_LE(b.largest_run, 15.0 * 255 * 32);
    EXPECT_LE(b.runs_in_16, b.runs);
  }
  EXPECT_EQ((*bounds)[0].node, "fc0");
}

}  // namespace
}  // namespace pbatch::testing
