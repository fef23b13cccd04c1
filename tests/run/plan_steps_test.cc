// What Session::plan prints is what a run does, step by step, on every kind of layer.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "pbatch/quantize.h"
#include "pbatch/session.h"
#include "tests/support/control_flow.h"
#include "tests/support/recurrent.h"

namespace pbatch {
namespace {

using namespace testing;

std::vector<float> weights(std::int64_t rows, std::int64_t cols, unsigned seed) {
  std::vector<float> w = random_floats(static_cast<std::size_t>(rows * cols), seed);
  for (float& v : w) v /= std::sqrt(static_cast<float>(rows));
  return w;
}

struct PlannedCase {
  std::string name, path;
  std::vector<NamedTensor> inputs;
};

Tensor planned_random_tensor(const Shape& shape, unsigned seed) {
  std::size_t count = 1;
  for (const std::int64_t d : shape) count *= static_cast<std::size_t>(d);
  return tensor_of(shape, random_floats(count, seed));
}

PlannedCase layers() {
  const std::string path = temp_path("mlp.onnx");
  write_onnx(mlp({70, 96, 33, 5}), path);
  return {"fully connected", path, {{"x", planned_random_tensor({3, 70}, 1)}}};
}

// 10 x 10 positions, fewer than a tile, and one behind a pool.
PlannedCase convolutions() {
  ModelBuilder b;
  b.input("x", {2, 3, 12, 12});
  b.output("y");
  b.floats("w", {32, 3, 3, 3}, weights(27, 32, 1));
  b.floats("v", {16, 32, 1, 1}, weights(32, 16, 2));
  b.node("Conv", {"x", "w"}, {"c"}, "conv");
  b.node("Relu", {"c"}, {"r"}, "relu");
  b.node("GlobalAveragePool", {"r"}, {"p"}, "pool");
  b.node("Conv", {"p", "v"}, {"d"}, "point");
  b.node("Flatten", {"d"}, {"y"}, "flatten");
  return {"convolutions", write(b, "conv.onnx"), {{"x", planned_random_tensor({2, 3, 12, 12}, 3)}}};
}

// Two branches, of which the condition takes one, and a loop around a layer.
PlannedCase control_flow() {
  ModelBuilder b;
  b.input("x", {2, 64});
  b.output("y");
  b.floats("w", {64, 64}, weights(64, 64, 1));
  b.floats("v", {64, 64}, weights(64, 64, 2));
  b.initializer("m", {}, kInt64).add_int64_data(3);
  onnx::NodeProto& loop = b.node("Loop", {"m", "", "x"}, {"h"}, "loop");
  GraphFiller body = subgraph(loop, "body");
  body.input("round", {}, kInt64);
  body.input("go", {}, kBool);
  body.input("s", {2, 64});
  body.node("MatMul", {"s", "w"}, {"p"}, "fc");
  body.node("Tanh", {"p"}, {"t"}, "tanh");
  body.node("Identity", {"go"}, {"on"}, "on");
  body.output("on", {}, kBool);
  body.output("t", {2, 64});
  b.node("MatMul", {"h", "v"}, {"y"}, "last");
  return {"loop", write(b, "loop.onnx"), {{"x", planned_random_tensor({2, 64}, 3)}}};
}

// As many rows as elements are above zero: the layer's batch depends on data.
PlannedCase by_data() {
  ModelBuilder b;
  b.input("x", {4, 64});
  b.input("mask", {4});
  b.output("y");
  b.floats("w", {64, 64}, weights(64, 64, 1));
  b.node("Relu", {"mask"}, {"positive"}, "positive");
  b.node("NonZero", {"positive"}, {"found"}, "found");
  b.initializer("minus", {1}, kInt64).add_int64_data(-1);
  b.node("Reshape", {"found", "minus"}, {"rows"}, "rows");
  onnx::NodeProto& gather = b.node("Gather", {"x", "rows"}, {"picked"}, "pick");
  onnx::AttributeProto& axis = *gather.add_attribute();
  axis.set_name("axis");
  axis.set_type(onnx::AttributeProto::INT);
  axis.set_i(0);
  b.node("MatMul", {"picked", "w"}, {"y"}, "fc");
  return {"by data",
          write(b, "data.onnx"),
          {{"x", planned_random_tensor({4, 64}, 3)}, {"mask", tensor_of({4}, {1, -1, 0, 2})}}};
}

PlannedCase recurrent() {
  RecurrentCase c;
  c.direction = "bidirectional";
  c.features = c.hidden = 32;
  const RecurrentTensors t = random_tensors(c);
  const std::string path = temp_path("lstm.onnx");
  write_onnx(recurrent_graph(c, t), path);
  PlannedCase made{"recurrent", path, {}};
  const Result<Session> session = Session::load(path);
  EXPECT_TRUE(session) << session.status().to_line();
  for (const Tensor& tensor : recurrent_inputs(c, t)) {
    made.inputs.push_back({session->inputs()[made.inputs.size()].name, tensor});
  }
  return made;
}

std::vector<InputShape> shapes_of(const PlannedCase& c) {
  std::vector<InputShape> shapes;
  for (const NamedTensor& input : c.inputs) shapes.push_back({input.name, input.tensor.shape()});
  return shapes;
}

void expect_planned_is_run(const Session& session, const PlannedCase& c,
                           const Precision& precision) {
  const auto plan = session.plan(precision, shapes_of(c));
  ASSERT_TRUE(plan) << plan.status().to_line();
  const auto ran = session.profile(c.inputs, precision, 1);
  ASSERT_TRUE(ran) << ran.status().to_line();
  ASSERT_EQ(plan->size(), ran->size());
  for (std::size_t i = 0; i < plan->size(); ++i) {
    const PlanStep& step = (*plan)[i];
    const StepTime& time = (*ran)[i];
    EXPECT_EQ(step.node, time.node);
    EXPECT_EQ(step.op_type, time.op_type);
    EXPECT_EQ(step.kernel, time.kernel) << step.node;
    EXPECT_EQ(step.planned, step.kernel != "by data") << step.node;
    if (step.weight_bytes != 0) {
      EXPECT_EQ(step.weight_bytes, time.weight_bytes) << step.node;
    }
    EXPECT_EQ(step.predicted_us, time.predicted_us) << step.node;
  }
}

TEST(PlanSteps, AreWhatARunDoes) {
  for (const PlannedCase& c : {layers(), convolutions(), control_flow(), by_data(), recurrent()}) {
    SCOPED_TRACE(c.name);
    QuantizeOptions quantize;
    quantize.min_elements = 1;
    const Result<Session> floats = Session::load(c.path, {.threads = 1});
    const Result<Session> bits = Session::quantize_in_memory(c.path, quantize, {.threads = 1});
    ASSERT_TRUE(floats && bits) << floats.status().to_line() << bits.status().to_line();
    ASSERT_FALSE(bits->layers().empty());
    expect_planned_is_run(*floats, c, Precision::f32());
    for (const Precision& p : {Precision::bits(1, 8), Precision::bits(5), Precision::f32()}) {
      expect_planned_is_run(*bits, c, p);
    }
  }
}

const PlanStep* find(const std::vector<PlanStep>& steps, const std::string& node) {
  for (const PlanStep& step : steps) {
    if (step.node == node) return &step;
  }
  ADD_FAILURE() << "no step " << node;
  return nullptr;
}

TEST(PlanSteps, SayWhatDependsOnData) {
  const PlannedCase c = by_data();
  QuantizeOptions quantize;
  quantize.min_elements = 1;
  const Result<Session> session = Session::quantize_in_memory(c.path, quantize);
  ASSERT_TRUE(session);
  const auto plan = session->plan(Precision::bits(4, 8), shapes_of(c));
  ASSERT_TRUE(plan) << plan.status().to_line();
  EXPECT_TRUE(find(*plan, "positive")->planned);
  const PlanStep& fc = *find(*plan, "fc");
  EXPECT_FALSE(fc.planned);
  EXPECT_EQ(fc.weight_bits, 4);
  EXPECT_EQ(fc.rows, 64);
  EXPECT_GT(fc.weight_bytes, 0);
}

// A loop's first round is planned with the types that it begins with.
TEST(PlanSteps, ReachIntoSubgraphs) {
  const PlannedCase c = control_flow();
  QuantizeOptions quantize;
  quantize.min_elements = 1;
  const Result<Session> session = Session::quantize_in_memory(c.path, quantize);
  ASSERT_TRUE(session);
  const auto plan = session->plan(Precision::bits(4, 8), shapes_of(c));
  ASSERT_TRUE(plan) << plan.status().to_line();
  const PlanStep& inner = *find(*plan, "loop/body/fc");
  EXPECT_TRUE(inner.planned);
  EXPECT_EQ(inner.shape, (Shape{2, 64}));
  EXPECT_EQ(inner.macs, 2 * 64 * 64);
  EXPECT_FALSE(find(*plan, "loop")->planned);
}

// Of both images.
TEST(PlanSteps, ConvolutionsAreThoseOfTheirPositions) {
  const PlannedCase c = convolutions();
  QuantizeOptions quantize;
  quantize.min_elements = 1;
  const Result<Session> session = Session::quantize_in_memory(c.path, quantize, {.threads = 1});
  ASSERT_TRUE(session);
  const auto plan = session->plan(Precision::bits(4, 8), shapes_of(c));
  ASSERT_TRUE(plan) << plan.status().to_line();
  EXPECT_EQ(find(*plan, "conv")->macs, 2 * 100 * 27 * 32);
  EXPECT_EQ(find(*plan, "point")->macs, 2 * 32 * 16);
}

TEST(PlanSteps, FreeDimensionsAreOneOrGiven) {
  const std::string path = temp_path("mlp.onnx");
  write_onnx(mlp({70, 96, 5}), path);
  const Result<Session> session = Session::load(path);
  ASSERT_TRUE(session);
  EXPECT_EQ(session->plan(Precision::f32())->front().shape, (Shape{1, 96}));
  const auto five = session->plan(Precision::f32(), std::vector<InputShape>{{"x", {5, 70}}});
  EXPECT_EQ(five->front().shape, (Shape{5, 96}));
  for (const auto& [shape, code] :
       {std::pair(InputShape{"x", {5, 71}}, ErrorCode::shape_mismatch),
        std::pair(InputShape{"z", {5, 70}}, ErrorCode::invalid_argument)}) {
    EXPECT_EQ(session->prepare(Precision::f32(), {&shape, 1}).code(), code);
  }
}

}  // namespace
}  // namespace pbatch
