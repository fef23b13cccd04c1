// Inputs with a value where none is fed: initializers that are inputs too.
#include <gtest/gtest.h>

#include "format/model_file.h"
#include "pbatch/quantize.h"
#include "tests/support/control_flow.h"

namespace pbatch {
namespace {

using namespace testing;

// y = (x w) k + k, x [n, 64], w [64, 64] constant, k [1] an input with the value 3.
ModelBuilder model(std::int64_t ir_version = 8) {
  ModelBuilder builder;
  builder.model.set_ir_version(ir_version);
  builder.input("k", {1});
  free_dims(builder.input("x", {}), 2);
  free_dims(builder.output("y"), 2);
  builder.floats("w", {64, 64}, random_floats(64 * 64, 1));
  builder.floats("k", {1}, {3});
  builder.node("MatMul", {"x", "w"}, {"h"}, "fc");
  builder.node("Mul", {"h", "k"}, {"m"});
  builder.node("Add", {"m", "k"}, {"y"});
  return builder;
}

const NamedTensor kGivenX{"x", tensor_of({2, 64}, random_floats(128, 2))};

std::vector<float> run_with(const Session& session, std::optional<float> k,
                            const Precision& precision) {
  std::vector<NamedTensor> inputs{kGivenX};
  if (k) inputs.push_back({"k", floats({1}, {*k})});
  const auto y = session.run(inputs, precision);
  EXPECT_TRUE(y) << y.status().to_line();
  return y ? values_of(y->front()) : std::vector<float>{};
}

// From the definition, in double.
void expect_answer(const std::vector<float>& y, float k, double tolerance) {
  const std::vector<float> w = random_floats(64 * 64, 1), x = random_floats(128, 2);
  ASSERT_EQ(y.size(), 128u);
  for (std::size_t r = 0; r < 2; ++r) {
    for (std::size_t c = 0; c < 64; ++c) {
      double sum = 0;
      for (std::size_t i = 0; i < 64; ++i) sum += double{x[r * 64 + i]} * w[i * 64 + c];
      EXPECT_NEAR(y[r * 64 + c], sum * k + k, tolerance) << k;
    }
  }
}

void expect_listed(const Session& session) {
  ASSERT_EQ(session.inputs().size(), 2u);
  EXPECT_EQ(session.inputs()[0].name, "x");  // what must be fed comes first
  EXPECT_FALSE(session.inputs()[0].optional);
  EXPECT_EQ(session.inputs()[1].name, "k");
  EXPECT_TRUE(session.inputs()[1].optional);
  EXPECT_EQ(session.inputs()[1].shape, Shape{1});
}

TEST(OptionalInput, MayBeFedToAFloatNetwork) {
  const Session session = load(model());
  expect_listed(session);
  for (const std::optional<float> k : {std::optional<float>(), std::optional(7.0F)}) {
    expect_answer(run_with(session, k, Precision::f32()), k.value_or(3), 1e-3);
  }
  const auto wrong =
      session.run(std::vector<NamedTensor>{kGivenX, {"k", floats({2}, {1, 2})}}, Precision::f32());
  EXPECT_EQ(wrong.status().code(), ErrorCode::shape_mismatch);
  const auto missing =
      session.run(std::vector<NamedTensor>{{"k", floats({1}, {1})}}, Precision::f32());
  EXPECT_EQ(missing.status().code(), ErrorCode::invalid_argument);
}

TEST(OptionalInput, OutlivesQuantizationSavingAndLoading) {
  const std::string path = write(model()), out = temp_path("quantized.onnx");
  const auto report = quantize_file(path, out, {.min_elements = 1});
  ASSERT_TRUE(report) << report.status().to_line();
  EXPECT_TRUE(report->layers.at(0).quantized);
  const Result<Session> saved = Session::load(out);
  const Result<Session> in_memory = Session::quantize_in_memory(path, {.min_elements = 1});
  for (const Result<Session>* session : {&saved, &in_memory}) {
    ASSERT_TRUE(*session) << session->status().to_line();
    expect_listed(**session);
    for (const std::optional<float> k : {std::optional<float>(), std::optional(-2.0F)}) {
      expect_answer(run_with(**session, k, Precision::bits(8)), k.value_or(3), 1);
    }
  }
}

TEST(OptionalInput, ThatIsAWeightMayBeFedToTheFloatNetworkAndIsQuantized) {
  ModelBuilder builder = model();
  builder.input("w", {64, 64});
  const Session session = load(builder);
  EXPECT_EQ(session.inputs().size(), 3u);
  const std::vector<NamedTensor> fed{kGivenX,
                                     {"w", tensor_of({64, 64}, std::vector<float>(4096, 0))}};
  const auto y = session.run(fed, Precision::f32());
  ASSERT_TRUE(y) << y.status().to_line();
  EXPECT_EQ(values_of(y->front()), std::vector<float>(128, 3));

  const Result<Session> quantized = Session::quantize_in_memory(write(builder), {});
  ASSERT_TRUE(quantized);
  expect_listed(*quantized);
  EXPECT_EQ(quantized->layers().size(), 1u);
}

TEST(OptionalInput, OfOldFilesIsAConstant) {
  const Session session = load(model(3));
  EXPECT_EQ(session.inputs().size(), 1u);
  expect_answer(run_with(session, {}, Precision::f32()), 3, 1e-3);
}

}  // namespace
}  // namespace pbatch
