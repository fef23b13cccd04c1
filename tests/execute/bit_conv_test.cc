// Convolutions over bit-layers against a convolution written out in doubles.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "pbatch/quantize.h"
#include "pbatch/session.h"
#include "tests/support/networks.h"

namespace pbatch {
namespace {

using testing::random_floats;
using testing::temp_path;
using testing::tensor_of;

struct BitConvCase {
  std::int64_t batch, channels, height, width, filters, kernel, stride, dilation;
  std::vector<std::int64_t> pads;  // top, left, bottom, right
};

std::int64_t out_size(std::int64_t in, std::int64_t before, std::int64_t after,
                      const BitConvCase& c) {
  return (in + before + after - ((c.kernel - 1) * c.dilation + 1)) / c.stride + 1;
}

Graph conv_graph(const BitConvCase& c, const std::vector<float>& w, const std::vector<float>& b) {
  Graph graph;
  graph.opsets[""] = 13;
  const ValueId x = graph.add_value(
      {.name = "x", .dims = std::vector<Dim>{{-1, "N"}, {c.channels, ""}, {-1, "H"}, {-1, "W"}}});
  const ValueId weight = graph.add_value(
      {.name = "w", .constant = tensor_of({c.filters, c.channels, c.kernel, c.kernel}, w)});
  const ValueId bias = graph.add_value({.name = "b", .constant = tensor_of({c.filters}, b)});
  const ValueId y = graph.add_value({.name = "y"});
  Node conv;
  conv.name = "conv";
  conv.op_type = "Conv";
  conv.opset = 13;
  conv.inputs = {x, weight, bias};
  conv.outputs = {y};
  conv.attributes["strides"] = std::vector<std::int64_t>{c.stride, c.stride};
  conv.attributes["dilations"] = std::vector<std::int64_t>{c.dilation, c.dilation};
  conv.attributes["pads"] = c.pads;
  graph.nodes.push_back(std::move(conv));
  graph.inputs = {x};
  graph.outputs = {y};
  return graph;
}

std::vector<double> naive_bit_conv(const BitConvCase& c, const std::vector<float>& x,
                                   const std::vector<float>& w, const std::vector<float>& b) {
  const std::int64_t oh = out_size(c.height, c.pads[0], c.pads[2], c);
  const std::int64_t ow = out_size(c.width, c.pads[1], c.pads[3], c);
  std::vector<double> y;
  for (std::int64_t n = 0; n < c.batch; ++n) {
    for (std::int64_t f = 0; f < c.filters; ++f) {
      for (std::int64_t i = 0; i < oh; ++i) {
        for (std::int64_t j = 0; j < ow; ++j) {
          double sum = b[static_cast<std::size_t>(f)];
          for (std::int64_t ch = 0; ch < c.channels; ++ch) {
            for (std::int64_t u = 0; u < c.kernel; ++u) {
              for (std::int64_t v = 0; v < c.kernel; ++v) {
                const std::int64_t r = i * c.stride + u * c.dilation - c.pads[0];
                const std::int64_t s = j * c.stride + v * c.dilation - c.pads[1];
                if (r < 0 || r >= c.height || s < 0 || s >= c.width) continue;
                sum += double(x[static_cast<std::size_t>(
                           ((n * c.channels + ch) * c.height + r) * c.width + s)]) *
                       w[static_cast<std::size_t>(
                           ((f * c.channels + ch) * c.kernel + u) * c.kernel + v)];
              }
            }
          }
          y.push_back(sum);
        }
      }
    }
  }
  return y;
}

class BitConvTest : public ::testing::TestWithParam<BitConvCase> {};

TEST_P(BitConvTest, ErrorFallsWithBitsAndWideIsNearlyExact) {
  const BitConvCase& c = GetParam();
  const auto count = [](std::int64_t n) { return static_cast<std::size_t>(n); };
  const std::vector<float> w =
      random_floats(count(c.filters * c.channels * c.kernel * c.kernel), 1);
  const std::vector<float> b = random_floats(count(c.filters), 2);
  const std::vector<float> x = random_floats(count(c.batch * c.channels * c.height * c.width), 3);
  const std::string path = temp_path("conv" + std::to_string(c.filters) + ".onnx");
  testing::write_onnx(conv_graph(c, w, b), path);

  QuantizeOptions quantize;
  quantize.min_elements = 1;
  quantize.planes = 16;
  SessionOptions options;
  options.threads = 2;
  const Result<Session> session = Session::quantize_in_memory(path, quantize, options);
  ASSERT_TRUE(session) << session.status().to_line();
  ASSERT_EQ(session->layers().size(), 1u);
  const NamedTensor input{"x", tensor_of({c.batch, c.channels, c.height, c.width}, x)};
  const std::vector<double> want = naive_bit_conv(c, x, w, b);
  const auto error = [&](const Precision& p) {
    const auto y = session->run({&input, 1}, p);
    EXPECT_TRUE(y) << y.status().to_line();
    if (!y || static_cast<std::size_t>((*y)[0].size()) != want.size()) return 1e9;
    double difference = 0, norm = 0;
    for (std::size_t i = 0; i < want.size(); ++i) {
      const double d = (*y)[0].data<float>()[i] - want[i];
      difference += d * d;
      norm += want[i] * want[i];
    }
    return std::sqrt(difference / norm);
  };
  for (const bool exact : {true, false}) {
    const auto bits = [&](int weight_bits, int activation_bits = 16) {
      Precision precision = Precision::bits(weight_bits, activation_bits);
      precision.exact = exact;
      return precision;
    };
    EXPECT_LT(error(bits(2)), 0.6);
    EXPECT_LT(error(bits(4)), 0.15);
    EXPECT_LT(error(bits(8)), 0.01);
    EXPECT_LT(error(bits(16, 32)), 1e-4);
  }
  EXPECT_LT(error(Precision::f32()), 1e-4);
}

INSTANTIATE_TEST_SUITE_P(Shapes, BitConvTest,
                         ::testing::Values(BitConvCase{1, 3, 9, 11, 8, 3, 1, 1, {1, 1, 1, 1}},
                                           BitConvCase{2, 5, 13, 8, 17, 3, 2, 1, {0, 1, 2, 0}},
                                           BitConvCase{3, 2, 17, 23, 6, 3, 1, 2, {2, 2, 2, 2}},
                                           BitConvCase{1, 40, 6, 6, 33, 1, 1, 1, {0, 0, 0, 0}}),
                         [](const auto& test) {
                           return std::to_string(test.param.channels) + "channels" +
                                  std::to_string(test.param.kernel) + "kernel";
                         });

// Bits are slower here on every ISA, so the layer runs in float, unless it must not; the weights
// are those of the planes either way.
TEST(BitConv, RunsInFloatWhereBitsAreSlower) {
  const BitConvCase c{1, 3, 9, 11, 4, 3, 1, 1, {1, 1, 1, 1}};
  const std::string path = temp_path("narrow_conv.onnx");
  testing::write_onnx(conv_graph(c, random_floats(108, 1), random_floats(4, 2)), path);
  QuantizeOptions quantize;
  quantize.min_elements = 1;
  quantize.floor_bits = 1;
  const Result<Session> session = Session::quantize_in_memory(path, quantize);
  ASSERT_TRUE(session) << session.status().to_line();
  const NamedTensor input{"x", tensor_of({1, 3, 9, 11}, random_floats(297, 3))};
  for (const int bits : {2, 4, 8}) {
    Precision precision = Precision::bits(bits, 32);
    const auto in_float = session->run({&input, 1}, precision);
    ASSERT_TRUE(in_float) << in_float.status().to_line();
    const InputShape shape{"x", {1, 3, 9, 11}};
    const auto plan = session->plan(precision, {&shape, 1});
    ASSERT_TRUE(plan) << plan.status().to_line();
    const auto conv = std::find_if(plan->begin(), plan->end(),
                                   [](const PlanStep& s) { return s.op_type == "BitConv"; });
    ASSERT_NE(conv, plan->end());
    EXPECT_EQ(conv->kernel, "float: faster than bits");
    precision.exact = true;
    const auto exact = session->run({&input, 1}, precision);
    ASSERT_TRUE(exact) << exact.status().to_line();
    for (std::int64_t i = 0; i < (*exact)[0].size(); ++i) {
      EXPECT_NEAR((*in_float)[0].data<float>()[i], (*exact)[0].data<float>()[i], 1e-5) << bits;
    }
  }
}

}  // namespace
}  // namespace pbatch
