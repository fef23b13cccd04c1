// Statistics of whole networks, and what quantize_file makes of them.
#include "calibrate/calibration.h"

#include <gtest/gtest.h>

#include <cmath>

#include "pbatch/quantize.h"
#include "pbatch/session.h"
#include "run/simplify.h"
#include "tests/support/networks.h"
#include "tests/support/recurrent.h"
#include "tests/support/scratch.h"
#include "tests/support/step_networks.h"

namespace pbatch {
namespace {

using testing::NetBuilder;
using testing::random_floats;

std::vector<float> scaled(std::int64_t count, unsigned seed, float by) {
  std::vector<float> values = random_floats(static_cast<std::size_t>(count), seed);
  for (float& v : values) v *= by;
  return values;
}

/// A language model that forgets, so that errors do not grow: tokens [?, ?] (time, batch), h0 [1,
/// ?, hidden] -> logits [?, ?, size], hn.
Graph rnn_language_model(std::int64_t size, std::int64_t hidden) {
  NetBuilder b;
  const ValueId tokens = b.input("tokens", DType::i64, {-1, -1});
  const ValueId h0 = b.input("h0", DType::f32, {1, -1, hidden});
  const ValueId x =
      b.node("Gather", {b.floats({size, hidden}, scaled(size * hidden, 1, 1)), tokens});
  Graph g = b.graph();
  const ValueId y = g.add_value({.name = "y"}), hn = g.add_value({.name = "hn0"});
  Node rnn;
  rnn.name = "rnn";
  rnn.op_type = "RNN";
  rnn.opset = 13;
  rnn.attributes["hidden_size"] = hidden;
  const auto constant = [&](const char* name, const Shape& shape, const std::vector<float>& v) {
    return g.add_value({.name = name, .constant = testing::tensor_of(shape, v)});
  };
  rnn.inputs = {x,
                constant("W", {1, hidden, hidden}, scaled(hidden * hidden, 2, 0.1f)),
                constant("R", {1, hidden, hidden}, scaled(hidden * hidden, 3, 0.05f)),
                kNoValue,
                kNoValue,
                h0};
  rnn.outputs = {y, hn};
  g.nodes.push_back(rnn);
  const auto add = [&](const char* op, std::vector<ValueId> inputs, const char* name,
                       std::vector<Dim> dims, std::map<std::string, Attribute> attributes) {
    const ValueId out = g.add_value({.name = name, .dims = std::move(dims)});
    Node n;
    n.name = std::string("node_") + name;
    n.op_type = op;
    n.opset = 13;
    n.inputs = std::move(inputs);
    n.outputs = {out};
    n.attributes = std::move(attributes);
    g.nodes.push_back(std::move(n));
    return out;
  };
  Result<Tensor> axis = Tensor::create(DType::i64, {1});
  axis->mutable_data<std::int64_t>()[0] = 1;
  const ValueId axes = g.add_value({.name = "axes", .dtype = DType::i64, .constant = *axis});
  const ValueId flat = add("Squeeze", {y, axes}, "flat", {{-1, ""}, {-1, ""}, {hidden, ""}}, {});
  const ValueId head = constant("head", {hidden, size}, scaled(hidden * size, 4, 0.1f));
  g.outputs.push_back(add("MatMul", {flat, head}, "logits", {{-1, ""}, {-1, ""}, {size, ""}}, {}));
  g.outputs.push_back(add("Identity", {hn}, "hn", {{1, ""}, {-1, ""}, {hidden, ""}}, {}));
  return g;
}

class CalibrationTest : public testing::Scratch {
 protected:
  Result<std::unique_ptr<Calibration>> calibrate(Graph graph, QuantizeOptions options) {
    options.min_elements = 1;
    const Status simple = simplify(graph);
    if (!simple) return simple;
    return Calibration::create(graph, options, pool_);
  }
  ThreadPool pool_{2};
};

TEST_F(CalibrationTest, ALanguageModelWritesItsOwnText) {
  auto made = calibrate(rnn_language_model(20, 32), {});
  ASSERT_TRUE(made) << made.status().to_line();
  EXPECT_EQ((*made)->statistics(), Statistics::own_text);
  // 64 streams of 400 tokens read the recurrent matrix once each.
  const auto recurrent = (*made)->moments_of("rnn/recurrent");
  ASSERT_TRUE(recurrent) << recurrent.status().to_line();
  ASSERT_NE(*recurrent, nullptr);
  ASSERT_EQ((*recurrent)->fit.size(), 1u);
  const InputMoments& m = (*recurrent)->fit[0];
  EXPECT_EQ(m.count, 64 * 400);
  EXPECT_EQ(m.cols, 32);
  for (std::int64_t i = 0; i < 32; ++i) {  // squares of a tanh
    EXPECT_GT(m.moments[static_cast<std::size_t>(i * 33)], 0);
    EXPECT_LE(m.moments[static_cast<std::size_t>(i * 33)], 1);
  }
  EXPECT_NE(m.moments, (*recurrent)->check[0].moments);  // another draw
  EXPECT_NEAR(m.moments[0], (*recurrent)->check[0].moments[0], 0.1 * m.moments[0]);
}

TEST_F(CalibrationTest, TokensWithoutAStateAreDrawnAtRandom) {
  auto made = calibrate(testing::bigram_net(24, 2), {});
  ASSERT_TRUE(made) << made.status().to_line();
  EXPECT_EQ((*made)->statistics(), Statistics::random_tokens);
  // One-hot rows, every one as often: the moments are nearly the identity over 24.
  const auto moments = (*made)->moments_of("MatMul1");
  ASSERT_TRUE(moments && *moments != nullptr);
  const InputMoments& m = (*moments)->fit.at(0);
  for (std::size_t i = 0; i < 24; ++i) {
    for (std::size_t j = 0; j < 24; ++j) {
      EXPECT_NEAR(m.moments[i * 24 + j], i == j ? 1.0 / 24 : 0, 0.03);
    }
  }
}

TEST_F(CalibrationTest, NothingIsMadeUpForMlpsUnlessAskedFor) {
  const auto refused = calibrate(testing::mlp({16, 24, 8}), {});
  EXPECT_EQ(refused.status().code(), ErrorCode::unsupported);
  EXPECT_NE(refused.status().remedy(), "");
  auto forced = calibrate(testing::mlp({16, 24, 8}), {.scheme = Scheme::compensated});
  ASSERT_TRUE(forced) << forced.status().to_line();
  EXPECT_EQ((*forced)->statistics(), Statistics::noise);
}

TEST_F(CalibrationTest, SamplesGiveTheMomentsOfTheirFirstThreeQuarters) {
  const std::vector<float> x = random_floats(40 * 16, 5);
  QuantizeOptions options;
  options.samples.push_back({"", testing::tensor_of({40, 16}, x)});
  auto made = calibrate(testing::mlp({16, 24, 8}), options);
  ASSERT_TRUE(made) << made.status().to_line();
  const auto moments = (*made)->moments_of("fc0");
  ASSERT_TRUE(moments) << moments.status().to_line();
  ASSERT_NE(*moments, nullptr);
  double first = 0, last = 0;
  for (std::size_t v = 0; v < 40; ++v) {
    (v < 30 ? first : last) += double(x[v * 16]) * x[v * 16 + 3] / (v < 30 ? 30 : 10);
  }
  EXPECT_EQ((*moments)->fit.at(0).count, 30);
  EXPECT_NEAR((*moments)->fit.at(0).moments[3], first, 1e-4);
  EXPECT_NEAR((*moments)->check.at(0).moments[3], last, 1e-4);
}

TEST_F(CalibrationTest, SamplesThatDoNotFitAreRefusedByName) {
  QuantizeOptions options;
  options.samples.push_back({"z", testing::tensor_of({4, 16}, random_floats(64, 5))});
  auto made = calibrate(testing::mlp({16, 24, 8}), options);
  ASSERT_TRUE(made);
  EXPECT_NE((*made)->moments_of("fc0").status().message().find("z"), std::string::npos);
}

class CompensatedFile : public testing::Scratch {};

// A matrix that holds a NaN stays float; one that is only fed with it does not.
TEST_F(CompensatedFile, IsNotMadeOnSamplesThatAreNotFinite) {
  testing::write_onnx(testing::mlp({16, 24, 8}), path("net.onnx"));
  std::vector<float> x = random_floats(64, 5);
  x[17] = NAN;
  QuantizeOptions options;
  options.min_elements = 1;
  options.samples.push_back({"", testing::tensor_of({4, 16}, x)});
  const auto report = quantize_file(path("net.onnx"), path("q.onnx"), options);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.status().code(), ErrorCode::invalid_argument);
  EXPECT_NE(report.status().message().find("NaN"), std::string::npos);
  EXPECT_NE(report.status().remedy(), "");
}

TEST_F(CompensatedFile, IsTheSameForAnyNumberOfThreadsAndRuns) {
  testing::write_onnx(rnn_language_model(40, 48), path("net.onnx"));
  for (const int threads : {1, 3, 2}) {
    const std::string out = path("q" + std::to_string(threads) + ".onnx");
    const auto report =
        quantize_file(path("net.onnx"), out, {.min_elements = 1, .threads = threads});
    ASSERT_TRUE(report) << report.status().to_line();
    EXPECT_EQ(report->statistics, "its own text");
  }
  EXPECT_EQ(read(path("q1.safetensors")), read(path("q3.safetensors")));
  EXPECT_EQ(read(path("q1.safetensors")), read(path("q2.safetensors")));
}

// Answers on tokens that nobody has seen, against the float network.
TEST_F(CompensatedFile, AnswersNearerToTheFloatNetworkThanPlainCodes) {
  const std::int64_t size = 12, hidden = 64;
  testing::write_onnx(rnn_language_model(size, hidden), path("net.onnx"));
  const auto error_of = [&](Scheme scheme) {
    const std::string out = path("q.onnx");
    const auto report = quantize_file(path("net.onnx"), out, {.min_elements = 1, .scheme = scheme});
    EXPECT_TRUE(report) << report.status().to_line();
    const auto quantized = Session::load(out), whole = Session::load(path("net.onnx"));
    EXPECT_TRUE(quantized && whole);
    Result<Tensor> tokens = Tensor::create(DType::i64, {30, 8});
    for (std::int64_t i = 0; i < 240; ++i) {
      tokens->mutable_data<std::int64_t>()[i] = i * 7919 % 104729 % size;
    }
    const std::vector<NamedTensor> inputs{
        {"tokens", *tokens},
        {"h0", testing::tensor_of({1, 8, hidden}, std::vector<float>(8 * 64, 0.0f))}};
    const auto a = quantized->run(inputs, Precision::bits(4)), b = whole->run(inputs, {});
    EXPECT_TRUE(a && b);
    double error = 0;
    for (std::int64_t i = 0; i < (*a)[0].size(); ++i) {
      error += std::pow((*a)[0].data<float>()[i] - (*b)[0].data<float>()[i], 2);
    }
    return error;
  };
  EXPECT_LT(error_of(Scheme::compensated), 0.7 * error_of(Scheme::plain));
}

TEST_F(CompensatedFile, IsAPlainOneForAnMlpAndSaysWhy) {
  testing::write_onnx(testing::mlp({64, 96, 10}), path("net.onnx"));
  const auto automatic = quantize_file(path("net.onnx"), path("a.onnx"), {});
  const auto plain = quantize_file(path("net.onnx"), path("p.onnx"), {.scheme = Scheme::plain});
  ASSERT_TRUE(automatic && plain);
  EXPECT_EQ(automatic->statistics, "");
  EXPECT_NE(automatic->plain_reason, "");
  EXPECT_EQ(plain->plain_reason, "");
  EXPECT_EQ(read(path("a.safetensors")), read(path("p.safetensors")));
}

TEST_F(CompensatedFile, MoreThanEightPlanesStayPlainUnlessAskedFor) {
  testing::write_onnx(rnn_language_model(40, 48), path("net.onnx"));
  const auto wide =
      quantize_file(path("net.onnx"), path("w.onnx"), {.planes = 12, .min_elements = 1});
  ASSERT_TRUE(wide);
  EXPECT_EQ(wide->statistics, "");
  EXPECT_NE(wide->plain_reason, "");
}

}  // namespace
}  // namespace pbatch
