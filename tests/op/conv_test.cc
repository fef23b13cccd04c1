// Conv against the definition.
#include <gtest/gtest.h>

#include "product/conv_geometry.h"
#include "tests/support/networks.h"
#include "tests/support/one_op.h"

namespace pbatch::testing {
namespace {

struct ConvCase {
  Shape x, w;
  std::vector<std::int64_t> strides, dilations, pads;
  std::int64_t group = 1;
  bool bias = true;
};

Tensor random_tensor(const Shape& shape, unsigned seed) {
  std::int64_t size = 1;
  for (const std::int64_t d : shape) size *= d;
  return floats(shape, random_floats(static_cast<std::size_t>(size), seed));
}

// Sums over every tap that falls on the input, one output at a time.
std::vector<float> naive_conv(const ConvCase& c, const ConvGeometry& g, const Tensor& x,
                              const Tensor& w, const Tensor& bias) {
  const std::int64_t outputs = c.w[0], inputs = c.w[1];
  std::int64_t image = 1;
  for (const std::int64_t d : g.in) image *= d;
  std::vector<float> y;
  for (std::int64_t n = 0; n < g.batch; ++n) {
    for (std::int64_t m = 0; m < outputs; ++m) {
      const std::int64_t first = m / (outputs / c.group) * inputs;
      for (std::int64_t p = 0; p < g.positions(); ++p) {
        double sum = c.bias ? static_cast<double>(bias.data<float>()[m]) : 0.0;
        for (std::int64_t i = 0; i < inputs; ++i) {
          for (std::int64_t k = 0; k < g.kernel_size(); ++k) {
            std::int64_t at = 0, stride = 1, rest_p = p, rest_k = k;
            bool on_input = true;
            for (std::size_t d = g.spatial_rank(); d-- > 0;) {
              const std::int64_t index = rest_p % g.out[d] * g.strides[d] - g.pads_begin[d] +
                                         rest_k % g.kernel[d] * g.dilations[d];
              on_input = on_input && index >= 0 && index < g.in[d];
              at += index * stride;
              stride *= g.in[d];
              rest_p /= g.out[d];
              rest_k /= g.kernel[d];
            }
            if (!on_input) continue;
            sum += static_cast<double>(x.data<float>()[(n * g.channels + first + i) * image + at]) *
                   static_cast<double>(w.data<float>()[(m * inputs + i) * g.kernel_size() + k]);
          }
        }
        y.push_back(static_cast<float>(sum));
      }
    }
  }
  return y;
}

void expect_right(const ConvCase& c) {
  WindowAttributes window;
  window.strides = c.strides;
  window.dilations = c.dilations;
  window.pads = c.pads;
  const auto g = make_geometry(window, c.x, Shape(c.w.begin() + 2, c.w.end()));
  ASSERT_TRUE(g) << g.status().to_line();
  const Tensor x = random_tensor(c.x, 1), w = random_tensor(c.w, 2);
  const Tensor bias = random_tensor({c.w[0]}, 3);
  std::vector<float> want = naive_conv(c, *g, x, w, bias);
  for (const bool constant : {false, true}) {
    for (const bool relu : {false, true}) {
      OneOp op("Conv", relu ? 1 : 13, relu ? "pbatch" : "");
      op.input(x);
      constant ? op.constant(w) : op.input(w);
      if (c.bias) op.constant(bias);
      op.attr("group", c.group);
      if (!c.strides.empty()) op.attr("strides", c.strides);
      if (!c.dilations.empty()) op.attr("dilations", c.dilations);
      if (!c.pads.empty()) op.attr("pads", c.pads);
      std::vector<float> wanted = want;
      if (relu) {
        op.attr("activation", std::string("relu"));
        for (float& v : wanted) v = std::max(v, 0.0F);
      }
      expect_near(op.threads(2).result(), g->output_shape(c.w[0]), wanted);
    }
  }
}

TEST(Conv, EqualsTheDefinition) {
  expect_right({.x = {2, 3, 7}, .w = {4, 3, 3}});
  expect_right({.x = {1, 4, 9},
                .w = {6, 2, 3},
                .strides = {2},
                .dilations = {2},
                .pads = {3, 1},
                .group = 2});
  expect_right({.x = {2, 3, 6, 5}, .w = {5, 3, 3, 2}});
  expect_right({.x = {1, 16, 8, 8}, .w = {32, 16, 3, 3}, .pads = {1, 1, 1, 1}, .bias = false});
  expect_right({.x = {1, 2, 6, 7},
                .w = {3, 2, 3, 2},
                .strides = {2, 1},
                .dilations = {1, 2},
                .pads = {0, 1, 2, 3}});
  expect_right({.x = {1, 8, 5, 5}, .w = {8, 1, 3, 3}, .pads = {1, 1, 1, 1}, .group = 8});
  expect_right({.x = {1, 2, 4, 4, 3}, .w = {3, 2, 2, 2, 2}, .pads = {0, 1, 0, 1, 0, 1}});
}

TEST(Conv, PadsToTheSameSize) {
  const Tensor x = floats({1, 1, 4}, {1, 2, 3, 4}), w = floats({1, 1, 2}, {1, 10});
  expect_near(
      OneOp("Conv").attr("auto_pad", std::string("SAME_UPPER")).input(x).constant(w).result(),
      {1, 1, 4}, {21, 32, 43, 4});
  expect_near(
      OneOp("Conv").attr("auto_pad", std::string("SAME_LOWER")).input(x).constant(w).result(),
      {1, 1, 4}, {10, 21, 32, 43});
  expect_near(OneOp("Conv").attr("auto_pad", std::string("VALID")).input(x).constant(w).result(),
              {1, 1, 3}, {21, 32, 43});
}

TEST(Conv, ServesChangingShapes) {
  const Tensor w = floats({1, 1, 2}, {1, 10});
  Result<std::unique_ptr<Op>> op =
      OneOp("Conv").input(floats({1, 1, 2}, {1, 2})).constant(w).build();
  ASSERT_TRUE(op) << op.status().to_line();
  ThreadPool pool(1);
  BufferPool buffers;
  const Precision precision = Precision::f32();
  RunContext context{pool, buffers, precision, FloatBackend::fastest};
  for (int round = 0; round < 2; ++round) {
    for (std::int64_t length = 2; length < 14; ++length) {
      std::vector<float> values(static_cast<std::size_t>(length));
      for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
      const Tensor x = floats({1, 1, length}, values);
      const Tensor* inputs[] = {&x, &w};
      Tensor outputs[1];
      ASSERT_TRUE((*op)->run(context, inputs, outputs));
      ASSERT_EQ(outputs[0].shape(), (Shape{1, 1, length - 1}));
      for (std::int64_t i = 0; i + 1 < length; ++i) {
        ASSERT_FLOAT_EQ(outputs[0].data<float>()[i], static_cast<float>(11 * i + 10));
      }
    }
  }
}

TEST(Conv, RefusesWhatDoesNotFit) {
  const Tensor x = floats({1, 2, 3}, {1, 2, 3, 4, 5, 6});
  const auto code = [&](const Tensor& w, std::int64_t group) {
    return OneOp("Conv").attr("group", group).input(x).constant(w).run().status().code();
  };
  EXPECT_EQ(code(floats({1, 3, 1}, {1, 2, 3}), 1), ErrorCode::shape_mismatch);
  EXPECT_EQ(code(floats({3, 1, 1}, {1, 2, 3}), 2), ErrorCode::shape_mismatch);
  EXPECT_EQ(code(floats({1, 2, 4}, {1, 2, 3, 4, 5, 6, 7, 8}), 1), ErrorCode::shape_mismatch);
  EXPECT_EQ(code(floats({1, 2, 1, 1}, {1, 2}), 1), ErrorCode::shape_mismatch);
  EXPECT_EQ(code(floats({1, 2, 1}, {1, 2}), 0), ErrorCode::malformed);
  EXPECT_EQ(code(floats({1, 2, 1}, {1, 2}), 1), ErrorCode::ok);
}

}  // namespace
}  // namespace pbatch::testing
