#include "execute/im2col.h"

#include <gtest/gtest.h>

#include "tests/support/networks.h"

namespace pbatch {
namespace {

using testing::random_floats;

WindowAttributes window(std::vector<std::int64_t> strides, std::vector<std::int64_t> dilations,
                        std::vector<std::int64_t> pads) {
  WindowAttributes a;
  a.strides = std::move(strides);
  a.dilations = std::move(dilations);
  a.pads = std::move(pads);
  return a;
}

// What window p sees of channel c at kernel position (kz, ky, kx), straight from the definition.
float seen(const ConvGeometry& g, const std::vector<float>& x, std::int64_t p, std::int64_t c,
           const Shape& k) {
  std::int64_t index = c;
  Shape at(g.spatial_rank());
  for (std::size_t d = g.spatial_rank(); d-- > 0;) {
    at[d] = p % g.out[d] * g.strides[d] - g.pads_begin[d] + k[d] * g.dilations[d];
    p /= g.out[d];
    if (at[d] < 0 || at[d] >= g.in[d]) return 0.0F;
  }
  for (std::size_t d = 0; d < g.spatial_rank(); ++d) index = index * g.in[d] + at[d];
  return x[static_cast<std::size_t>(index)];
}

void expect_right_columns(const WindowAttributes& attributes, const Shape& shape,
                          const std::vector<std::int64_t>& kernel) {
  const Result<ConvGeometry> made = make_geometry(attributes, shape, kernel);
  ASSERT_TRUE(made) << made.status().to_line();
  const ConvGeometry& g = *made;
  std::int64_t size = g.channels;
  for (const std::int64_t d : g.in) size *= d;
  const std::vector<float> x = random_floats(static_cast<std::size_t>(size), 7);
  const std::int64_t cols = g.channels * g.kernel_size();
  // In two parts, so that a range that starts inside a row of outputs is met.
  const std::int64_t middle = g.positions() / 2;
  std::vector<float> matrix(static_cast<std::size_t>(g.positions() * cols), NAN);
  im2col(g, x.data(), g.channels, 0, middle, matrix.data());
  im2col(g, x.data(), g.channels, middle, g.positions(), matrix.data() + middle * cols);
  const std::int64_t pixels = size / g.channels;
  std::vector<float> last(x.size()), from_last(matrix.size(), NAN);
  for (std::int64_t i = 0; i < size; ++i) {
    last[static_cast<std::size_t>(i % pixels * g.channels + i / pixels)] =
        x[static_cast<std::size_t>(i)];
  }
  im2col_channels_last(g, last.data(), 0, middle, from_last.data());
  im2col_channels_last(g, last.data(), middle, g.positions(), from_last.data() + middle * cols);
  EXPECT_EQ(from_last, matrix);
  for (std::int64_t p = 0; p < g.positions(); ++p) {
    for (std::int64_t col = 0; col < cols; ++col) {
      Shape k(g.spatial_rank());
      std::int64_t rest = col;
      for (std::size_t d = g.spatial_rank(); d-- > 0;) {
        k[d] = rest % g.kernel[d];
        rest /= g.kernel[d];
      }
      ASSERT_EQ(matrix[static_cast<std::size_t>(p * cols + col)], seen(g, x, p, rest, k))
          << "window " << p << ", column " << col;
    }
  }
}

TEST(Im2col, EqualsTheDefinition) {
  expect_right_columns({}, {1, 2, 5}, {3});
  expect_right_columns(window({2}, {3}, {4, 1}), {1, 3, 11}, {3});
  expect_right_columns({}, {1, 1, 4, 4}, {1, 1});
  expect_right_columns(window({2, 1}, {1, 2}, {1, 3, 0, 2}), {1, 3, 6, 7}, {3, 2});
  expect_right_columns(window({1, 1}, {1, 1}, {5, 5, 5, 5}), {1, 1, 2, 2},
                       {2, 2});  // windows off the image
  expect_right_columns(window({1, 2, 1}, {1, 1, 2}, {0, 1, 2, 1, 0, 1}), {1, 2, 3, 4, 5},
                       {2, 2, 2});
}

TEST(Im2col, TakesTheChannelsOfOneGroup) {
  const Result<ConvGeometry> g = make_geometry({}, {1, 4, 3}, {2});
  ASSERT_TRUE(g);
  const std::vector<float> x{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
  std::vector<float> matrix(8, NAN);
  im2col(*g, x.data() + 6, 2, 0, 2, matrix.data());
  EXPECT_EQ(matrix, (std::vector<float>{6, 7, 9, 10, 7, 8, 10, 11}));
}

TEST(ConvGeometry, CountsWindows) {
  const auto out = [](const WindowAttributes& a, std::int64_t in, std::int64_t kernel) {
    const Result<ConvGeometry> g = make_geometry(a, {1, 1, in}, {kernel});
    EXPECT_TRUE(g) << g.status().to_line();
    return g ? g->out[0] : -1;
  };
  EXPECT_EQ(out({}, 5, 3), 3);
  EXPECT_EQ(out(window({2}, {}, {}), 6, 3), 2);
  EXPECT_EQ(out(window({2}, {}, {1, 1}), 6, 3), 3);
  EXPECT_EQ(out(window({}, {2}, {}), 5, 3), 1);
  WindowAttributes ceil = window({2}, {}, {});
  ceil.ceil_mode = true;
  EXPECT_EQ(out(ceil, 6, 3), 3);
  // The last window would lie in the padding alone.
  ceil = window({2}, {}, {1, 1});
  ceil.ceil_mode = true;
  EXPECT_EQ(out(ceil, 3, 2), 2);
}

TEST(ConvGeometry, PadsToTheSameSize) {
  WindowAttributes a = window({2}, {}, {});
  a.auto_pad = AutoPad::same_upper;
  Result<ConvGeometry> g = make_geometry(a, {1, 1, 6}, {3});
  ASSERT_TRUE(g);
  EXPECT_EQ(g->out, Shape{3});
  EXPECT_EQ(g->pads_begin, Shape{0});
  EXPECT_EQ(g->pads_end, Shape{1});
  a.auto_pad = AutoPad::same_lower;
  g = make_geometry(a, {1, 1, 6}, {3});
  ASSERT_TRUE(g);
  EXPECT_EQ(g->pads_begin, Shape{1});
  EXPECT_EQ(g->pads_end, Shape{0});
}

TEST(ConvGeometry, RefusesWhatDoesNotFit) {
  const auto code = [](const WindowAttributes& a, const Shape& x, const Shape& kernel) {
    return make_geometry(a, x, kernel).status().code();
  };
  EXPECT_EQ(code({}, {1, 1, 2}, {3}), ErrorCode::shape_mismatch);
  EXPECT_EQ(code({}, {1, 1, 2}, {1, 1}), ErrorCode::shape_mismatch);
  EXPECT_EQ(code(window({1, 1}, {}, {}), {1, 1, 2}, {1}), ErrorCode::shape_mismatch);
  EXPECT_EQ(code(window({}, {}, {1}), {1, 1, 2}, {1}), ErrorCode::shape_mismatch);
  EXPECT_EQ(code({}, {0, 1, std::int64_t{1} << 62}, {1}), ErrorCode::unsupported);
  WindowAttributes other;
  other.kernel = {2};
  EXPECT_EQ(code(other, {1, 1, 4}, {3}), ErrorCode::shape_mismatch);
}

TEST(WindowAttributes, RefusesNumbersOutOfRange) {
  const auto code = [](const char* name, std::int64_t value) {
    Node node;
    node.attributes[name] = std::vector<std::int64_t>{value};
    return read_window_attributes(node).status().code();
  };
  EXPECT_EQ(code("strides", 0), ErrorCode::unsupported);
  EXPECT_EQ(code("dilations", -1), ErrorCode::unsupported);
  EXPECT_EQ(code("kernel_shape", 0), ErrorCode::unsupported);
  EXPECT_EQ(code("pads", -1), ErrorCode::unsupported);
  EXPECT_EQ(code("pads", std::int64_t{1} << 40), ErrorCode::unsupported);
  Node node;
  node.attributes["auto_pad"] = std::string("SAME");
  EXPECT_EQ(read_window_attributes(node).status().code(), ErrorCode::unsupported);
}

}  // namespace
}  // namespace pbatch
