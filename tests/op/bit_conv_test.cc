// Convolutions over bit-layers against a convolution written out in doubles.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "op/bits/bit_convolution.h"
#include "pbatch/quantize.h"
#include "pbatch/session.h"
#include "product/matrix_cache.h"
#include "quantize/dequantize.h"
#include "quantize/quantize_matrix.h"
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

// The image of a network's shape as it lies in memory, and back.
std::vector<float> change(const Shape& shape, const std::vector<float>& x, Layout to) {
  std::vector<float> changed(x.size());
  ThreadPool pool(1);
  change_layout(shape, sizeof(float), to, x.data(), changed.data(), pool);
  return changed;
}
std::vector<float> in_layout(const Shape& shape, const std::vector<float>& x, Layout layout) {
  return layout == Layout::plain ? x : change(shape, x, layout);
}
std::vector<float> from_layout(const Shape& shape, const std::vector<float>& x, Layout layout) {
  return layout == Layout::plain ? x : change(shape, x, Layout::plain);
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

// The value of x as its code of 8 bits has it: scale (round(x / scale) - zero + zero), at most 127
// of the code.
double affine_value(double x, double low, double high) {
  const float scale = static_cast<float>(high) / 254 - static_cast<float>(low) / 254;
  const float inverse = 1 / scale;
  const auto round = [&](double v) { return std::nearbyint(static_cast<float>(v) * inverse); };
  const double zero = round(low) + 127;
  return double{scale} * (std::min(round(x) - zero, 127.0) + zero);
}

// Counted out: blocks of 16 channels, in each the taps, for each tap the channels of the block.
std::int64_t blocked_column(std::int64_t channels, std::int64_t taps, std::int64_t channel,
                            std::int64_t tap) {
  std::int64_t column = 0;
  for (std::int64_t first = 0; first < channels; first += 16) {
    for (std::int64_t t = 0; t < taps; ++t) {
      for (std::int64_t c = first; c < std::min(first + 16, channels); ++c, ++column) {
        if (c == channel && t == tap) return column;
      }
    }
  }
  return -1;
}

// The order of columns, the code of activations and the strips, written out. Of 8 bits the code is
// affine, of others q = round(x qmax / max), from the extremes over the rows of pixels that a strip
// of windows lies on. Outliers: what `weights` have beyond the `codes` is multiplied with x itself.
std::vector<double> quantized_conv(const BitConvCase& c, const BitMatrix& m, ConvColumns columns,
                                   const Tensor& codes, const Tensor& weights,
                                   const std::vector<float>& x, const std::vector<float>& b,
                                   int activation_bits) {
  const std::int64_t oh = out_size(c.height, c.pads[0], c.pads[2], c);
  const std::int64_t ow = out_size(c.width, c.pads[1], c.pads[3], c);
  const std::int64_t strips = std::max<std::int64_t>(1, oh * ow / ImageStrips::kStripWindows);
  const std::int64_t strip_rows = (oh + strips - 1) / strips;
  const double qmax = activation_bits == 8 ? 127 : activation_bits == 16 ? 32639 : 1 << 29;
  const std::int64_t taps = c.kernel * c.kernel;
  std::vector<double> y(static_cast<std::size_t>(c.batch * c.filters * oh * ow));
  for (std::int64_t n = 0; n < c.batch; ++n) {
    const auto pixel = [&](std::int64_t ch, std::int64_t r, std::int64_t s) {
      if (r < 0 || r >= c.height || s < 0 || s >= c.width) return 0.0;
      const std::int64_t at = ((n * c.channels + ch) * c.height + r) * c.width + s;
      return double{x[static_cast<std::size_t>(at)]};
    };
    for (std::int64_t i = 0; i < oh; ++i) {
      const std::int64_t first = i / strip_rows * strip_rows;
      const std::int64_t last = std::min(first + strip_rows, oh) - 1;
      double low = 0, high = 0;
      for (std::int64_t r = first * c.stride - c.pads[0];
           r <= last * c.stride - c.pads[0] + (c.kernel - 1) * c.dilation; ++r) {
        for (std::int64_t ch = 0; ch < c.channels; ++ch) {
          for (std::int64_t s = 0; s < c.width; ++s) {
            low = std::min(low, pixel(ch, r, s));
            high = std::max(high, pixel(ch, r, s));
          }
        }
      }
      const double max = std::max(-low, high);
      const auto coded = [&](double value) {
        if (activation_bits == 8) return affine_value(value, low, high);
        const float factor = static_cast<float>(qmax / max);
        return std::nearbyint(static_cast<float>(value * factor)) * (max / qmax);
      };
      for (std::int64_t f = 0; f < c.filters; ++f) {
        for (std::int64_t j = 0; j < ow; ++j) {
          double sum = 0;
          for (std::int64_t ch = 0; ch < c.channels; ++ch) {
            for (std::int64_t t = 0; t < taps; ++t) {
              const double value = pixel(ch, i * c.stride + t / c.kernel * c.dilation - c.pads[0],
                                         j * c.stride + t % c.kernel * c.dilation - c.pads[1]);
              const std::int64_t column = columns == ConvColumns::channel_blocks
                                              ? blocked_column(c.channels, taps, ch, t)
                                              : ch * taps + t;
              const double code = codes.data<float>()[f * m.cols + column];
              sum +=
                  coded(value) * code + value * (weights.data<float>()[f * m.cols + column] - code);
            }
          }
          y[static_cast<std::size_t>(((n * c.filters + f) * oh + i) * ow + j)] =
              sum + b[static_cast<std::size_t>(f)];
        }
      }
    }
  }
  return y;
}

// Both orders of columns, in both layouts, with the kernel that the ISA takes and the reference.
TEST(BitConvolution, IsThatOfTheDefinition) {
  const std::vector<BitConvCase> cases{{2, 3, 9, 11, 8, 3, 1, 1, {1, 1, 1, 1}},
                                       {1, 37, 40, 41, 20, 3, 1, 1, {1, 1, 1, 1}},
                                       {1, 64, 30, 40, 70, 1, 1, 1, {0, 0, 0, 0}},
                                       {1, 96, 21, 30, 33, 1, 2, 1, {0, 0, 0, 0}},
                                       {1, 5, 33, 60, 16, 3, 2, 2, {3, 1, 2, 4}}};
  for (const BitConvCase& c : cases) {
    const auto count = [](std::int64_t n) { return static_cast<std::size_t>(n); };
    const std::vector<float> b = random_floats(count(c.filters), 2);
    std::vector<float> x = random_floats(count(c.batch * c.channels * c.height * c.width), 3);
    for (float& value : x) value = value < -0.3F ? 0.2F * value : value;  // as activations leave it
    const std::int64_t cols = c.channels * c.kernel * c.kernel;
    std::vector<float> weights = random_floats(count(c.filters * cols), 1);
    for (std::size_t i = 7; i < weights.size(); i += 1009) weights[i] *= 40;
    const Tensor w = tensor_of({c.filters, cols}, weights);
    const Result<QuantizedMatrix> quantized =
        quantize_matrix(weight_view(w, false), 12, 64, nullptr, 0.002);
    ASSERT_TRUE(quantized) << quantized.status().to_line();
    EXPECT_EQ(quantized->matrix->outlier_places.empty(), c.channels < 5);
    const BitMatrix& m = *quantized->matrix;
    WindowAttributes window;
    window.strides = {c.stride, c.stride};
    window.dilations = {c.dilation, c.dilation};
    window.pads = c.pads;
    const Shape shape{c.batch, c.channels, c.height, c.width};
    const Result<ConvGeometry> geometry = make_geometry(window, shape, {c.kernel, c.kernel});
    ASSERT_TRUE(geometry) << geometry.status().to_line();
    const Shape y_shape = geometry->output_shape(c.filters);
    for (const ConvColumns columns : {ConvColumns::channel_blocks, ConvColumns::channels_first}) {
      for (const auto& [weight_bits, activation_bits] :
           {std::pair{1, 8}, {4, 8}, {8, 8}, {12, 8}, {3, 16}, {12, 16}, {5, 32}}) {
        BitMatrix codes_only = m;
        codes_only.outlier_places = {};
        const Result<Tensor> codes = dequantize(codes_only, weight_bits, false);
        const Result<Tensor> whole = dequantize(m, weight_bits, false);
        ASSERT_TRUE(codes && whole) << codes.status().to_line();
        const std::vector<double> want =
            quantized_conv(c, m, columns, *codes, *whole, x, b, activation_bits);
        double norm = 0;
        for (const double v : want) norm = std::max(norm, std::fabs(v));
        std::vector<float> first;
        for (const BitKernel& kernel : all_kernels()) {
          if (!isa_runs_here(kernel.isa)) continue;
          if (&kernel == all_kernels().data() && c.channels > 5) continue;  // it takes its time
          const auto prepared = MatrixCache::shared(quantized->matrix)->get(kernel, weight_bits);
          ASSERT_TRUE(prepared) << prepared.status().to_line();
          for (const Layout layout : {Layout::plain, Layout::channels_last}) {
            BitGemmCall layer;
            layer.activation_bits = activation_bits;
            layer.bias = b.data();
            const auto convolution = BitConvolution::create(*geometry, layout, layout, columns,
                                                            layer, *prepared, kernel.isa);
            ASSERT_TRUE(convolution) << convolution.status().to_line();
            ThreadPool pool(layout == Layout::plain ? 1 : 2);
            BufferPool buffers;
            const std::vector<float> in = in_layout(shape, x, layout);
            std::vector<float> out(want.size(), NAN);
            const std::shared_ptr<void> scratch = buffers.take((*convolution)->scratch_bytes());
            const void* const inputs[] = {in.data()};
            void* const outputs[] = {out.data()};
            const Status status = (*convolution)
                                      ->run({.in = inputs,
                                             .out = outputs,
                                             .scratch = scratch.get(),
                                             .pool = pool,
                                             .buffers = buffers});
            ASSERT_TRUE(status) << status.to_line();
            out = from_layout(y_shape, out, layout);
            if (first.empty()) {
              first = out;
              for (std::size_t i = 0; i < want.size(); ++i) {
                ASSERT_NEAR(out[i], want[i], 1e-5 * norm) << kernel.name << " at " << i;
              }
            }
            ASSERT_EQ(out, first) << kernel.name << ", " << weight_bits << " bits";
          }
        }
      }
    }
  }
}

TEST(BitConvolution, RefusesNumbersThatAreNone) {
  const std::string path = temp_path("not_finite_conv.onnx");
  const BitConvCase c{1, 8, 50, 60, 16, 3, 1, 1, {1, 1, 1, 1}};
  testing::write_onnx(conv_graph(c, random_floats(16 * 72, 1), random_floats(16, 2)), path);
  QuantizeOptions quantize;
  quantize.min_elements = 1;
  SessionOptions options;
  options.threads = 2;
  const Result<Session> session = Session::quantize_in_memory(path, quantize, options);
  ASSERT_TRUE(session) << session.status().to_line();
  Precision precision = Precision::bits(4, 8);
  precision.exact = true;
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    std::vector<float> x = random_floats(8 * 50 * 60, 3);
    x[8 * 50 * 60 - 1] = bad;
    const NamedTensor input{"x", tensor_of({1, 8, 50, 60}, x)};
    const auto y = session->run({&input, 1}, precision);
    ASSERT_FALSE(y);
    EXPECT_EQ(y.status().code(), ErrorCode::not_finite);
    EXPECT_EQ(y.status().node(), "conv");
  }
}

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
