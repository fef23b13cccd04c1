// Activations that span decades: magnitudes in one step, and 8s.
#include <gtest/gtest.h>

#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "calibrate/range_collector.h"
#include "integer/levels.h"
#include "pbatch/quantize.h"
#include "pbatch/session.h"
#include "tests/support/recurrent.h"
#include "tests/support/spectrum.h"

namespace pbatch::testing {
namespace {

constexpr std::int64_t kItems = 40;

TEST(Levels, SpanOctavesFromEvenSteps) {
  for (const int last : {127, 255}) {
    for (const double octaves : {0.0, 1.0, 4.0, 10.0, 15.0, 40.0}) {
      const std::vector<std::int32_t> v = levels_of(octaves, last, 32767);
      ASSERT_EQ(v.size(), static_cast<std::size_t>(last) + 1);
      EXPECT_EQ(v.front(), 0);
      EXPECT_EQ(v.back(), 32767);
      for (std::size_t i = 1; i < v.size(); ++i) ASSERT_GE(v[i], v[i - 1]);
    }
    const std::vector<std::int32_t> even = levels_of(0, last, 32767),
                                    wide = levels_of(10, last, 32767);
    EXPECT_NEAR(even[static_cast<std::size_t>(last) / 2], 32767.0 * (last / 2) / last, 60);
    // An octave is a tenth of the codes where the curve is a power.
    const int at = last - last / 10;
    EXPECT_NEAR(wide[static_cast<std::size_t>(at)], 32767 * std::exp2(-10.0 * (last / 10) / last),
                40);
  }
}

TEST(Levels, OctavesAreFromTheMeanOfLogarithmsToTheGreatest) {
  BitMatrix matrix;
  matrix.rows = 1;
  matrix.cols = 5;
  RangeCollector collector;
  const std::vector<float> x{0, 1.0F / 64, -1, 1.0F / 16, -64, 0, 1, 1.0F / 64, 1.0F / 4, 16};
  collector.observe(matrix, 0, 1, x.data(), 2, 5);
  const auto seen = collector.range_of(matrix);
  ASSERT_TRUE(seen);
  // Of eight numbers: -6, 0, -4, 6, 0, -6, -2, 4: the mean is -1, to an eighth of an octave.
  EXPECT_NEAR(seen->octaves, 7, 0.13);
  RangeCollector none;
  const std::vector<float> zeros(5, 0.0F);
  none.observe(matrix, 0, 1, zeros.data(), 1, 5);
  EXPECT_EQ(none.range_of(matrix)->octaves, 0);
}

class Decades : public ::testing::Test {
 protected:
  void SetUp() override {
    write_onnx(spectrum(), path_);
    Result<Session> loaded = Session::load(path_, {.threads = 1});
    ASSERT_TRUE(loaded) << loaded.status().to_line();
    floats_.emplace(std::move(*loaded));
    x_ = quiet_and_loud(kItems, 2);
  }
  Session quantized(bool samples) {
    QuantizeOptions options;
    options.planes = 16;
    options.min_elements = 64;
    options.scheme = Scheme::plain;
    if (samples) options.samples = {{"x", quiet_and_loud(kItems, 1), false}};
    if (!samples) options.input_ranges = {{"x", -2.2, 2.2}};
    Result<Session> made = Session::quantize_in_memory(path_, options, {.threads = 1});
    EXPECT_TRUE(made) << made.status().to_line();
    return std::move(*made);
  }
  // The mean of the relative errors of items, which are as loud as they like.
  double error_of(const Session& session, const Precision& precision) {
    double sum = 0;
    for (std::int64_t i = 0; i < kItems; ++i) {
      const std::vector<float> one(x_.data<float>() + i * 96, x_.data<float>() + (i + 1) * 96);
      const std::vector<NamedTensor> inputs{{"x", tensor_of({1, 1, 96}, one)}};
      const auto made = session.run(inputs, precision);
      const auto wanted = floats_->run(inputs, Precision::f32());
      EXPECT_TRUE(made) << made.status().to_line();
      if (!made) return INFINITY;
      double error = 0, signal = 0;
      for (std::int64_t k = 0; k < (*wanted)[0].size(); ++k) {
        const double real = (*wanted)[0].data<float>()[k];
        error += std::pow((*made)[0].data<float>()[k] - real, 2);
        signal += real * real;
      }
      sum += std::sqrt(error / signal) / kItems;
    }
    return sum;
  }

  const std::string path_ = temp_path("spectrum.onnx");
  std::optional<Session> floats_;
  Tensor x_;
};

TEST_F(Decades, MagnitudesKeepTheQuiet) {
  const Session session = quantized(true);
  const auto steps = session.plan(Precision::integer(16, 16), {});
  ASSERT_TRUE(steps) << steps.status().to_line();
  int magnitudes = 0;
  for (const PlanStep& step : *steps) magnitudes += step.kernel == "integer magnitude" ? 1 : 0;
  EXPECT_EQ(magnitudes, 1);
  for (const PlanStep& step : *steps) EXPECT_NE(step.kernel, "integer elementwise");
  // What 16 bits of the input leave of the quiet bins.
  EXPECT_LT(error_of(session, Precision::integer(16, 16)), 0.03);
}

TEST_F(Decades, EightBitsByLogarithmsAreBetterThanEvenOnes) {
  const Session session = quantized(true);
  Precision even = Precision::integer(16, 16), squeezed = even;
  even.layers["Conv7"] = {16, 8};
  squeezed.layers["Conv7"] = {16, kActivations8s};
  ASSERT_EQ(session.layers()[1].name, "Conv7");
  const double with_8 = error_of(session, even), with_8s = error_of(session, squeezed);
  EXPECT_LT(with_8s, 0.08);
  EXPECT_GT(with_8, 4 * with_8s);
}

TEST_F(Decades, SayWhatIsMissing) {
  const NamedTensor x{"x", quiet_and_loud(1)};
  const Session ranged = quantized(false);
  const auto refused = ranged.run({&x, 1}, Precision::integer(8, kActivations8s));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.status().code(), ErrorCode::invalid_argument);
  EXPECT_EQ(refused.status().node(), "Conv0");
  EXPECT_NE(refused.status().to_line().find("--samples"), std::string::npos);
  EXPECT_TRUE(ranged.run({&x, 1}, Precision::integer(8, 16)));
  const auto in_floats = ranged.run({&x, 1}, Precision::bits(8, kActivations8s));
  ASSERT_FALSE(in_floats);
  EXPECT_EQ(in_floats.status().code(), ErrorCode::unsupported);
  EXPECT_NE(in_floats.status().to_line().find("integer arithmetic"), std::string::npos);
  EXPECT_FALSE(ranged.run({&x, 1}, Precision::integer(8, 9)));
}

TEST(Squeezed, StatesOfRecurrentLayersAreAsOf8Bits) {
  const RecurrentCase c{.cell = "GRU"};
  const std::string path = temp_path("gru.onnx");
  write_onnx(recurrent_graph(c, random_tensors(c)), path);
  QuantizeOptions options;
  options.min_elements = 64;
  options.scheme = Scheme::plain;
  options.input_ranges = {{"x", -4, 4}};
  const auto session = Session::quantize_in_memory(path, options, {.threads = 1});
  ASSERT_TRUE(session) << session.status().to_line();
  const std::vector<NamedTensor> inputs{
      {"x", tensor_of({5, 3, 7}, random_floats(5 * 3 * 7, 5))},
      {"h0", tensor_of({1, 3, 20}, std::vector<float>(60, 0.1F))}};
  Precision of_8 = Precision::integer(8, 16), of_8s = of_8;
  for (const LayerInfo& layer : session->layers()) {
    if (layer.op_type != "BitRecurrent") continue;
    of_8.layers[layer.name] = {8, 8};
    of_8s.layers[layer.name] = {8, kActivations8s};
  }
  ASSERT_FALSE(of_8.layers.empty());
  const auto a = session->run(inputs, of_8), b = session->run(inputs, of_8s);
  ASSERT_TRUE(a) << a.status().to_line();
  ASSERT_TRUE(b) << b.status().to_line();
  for (std::int64_t i = 0; i < (*a)[0].size(); ++i) {
    ASSERT_EQ((*a)[0].data<float>()[i], (*b)[0].data<float>()[i]);
  }
}

}  // namespace
}  // namespace pbatch::testing
