#include "product/conv_windows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "product/image_strips.h"

namespace pbatch {
namespace {

WindowAttributes window(std::vector<std::int64_t> strides, std::vector<std::int64_t> dilations,
                        std::vector<std::int64_t> pads) {
  WindowAttributes a;
  a.strides = std::move(strides);
  a.dilations = std::move(dilations);
  a.pads = std::move(pads);
  return a;
}

// Which pixel lies under each element of window p, straight from the definition; -1 for none.
std::vector<std::int64_t> pixels_under(const ConvGeometry& g, std::int64_t p) {
  std::vector<std::int64_t> pixels;
  for (std::int64_t tap = 0; tap < g.kernel_size(); ++tap) {
    std::int64_t rest = tap, window = p, pixel = 0, scale = 1;
    for (std::size_t d = g.spatial_rank(); d-- > 0;) {
      const std::int64_t at =
          window % g.out[d] * g.strides[d] - g.pads_begin[d] + rest % g.kernel[d] * g.dilations[d];
      pixel = at < 0 || at >= g.in[d] || pixel < 0 ? -1 : pixel + at * scale;
      scale *= g.in[d];
      window /= g.out[d];
      rest /= g.kernel[d];
    }
    pixels.push_back(pixel);
  }
  return pixels;
}

ConvGeometry geometry(const WindowAttributes& attributes, const Shape& shape,
                      const std::vector<std::int64_t>& kernel) {
  const Result<ConvGeometry> made = make_geometry(attributes, shape, kernel);
  EXPECT_TRUE(made) << made.status().to_line();
  return made ? *made : ConvGeometry{};
}

const std::vector<ConvGeometry>& some_geometries() {
  static const std::vector<ConvGeometry> all{
      geometry({}, {1, 2, 5}, {3}),
      geometry(window({2}, {3}, {4, 1}), {1, 3, 11}, {3}),
      geometry({}, {1, 1, 4, 4}, {1, 1}),
      geometry(window({2, 1}, {1, 2}, {1, 3, 0, 2}), {1, 3, 6, 7}, {3, 2}),
      geometry(window({1, 1}, {1, 1}, {5, 5, 5, 5}), {1, 1, 2, 2}, {2, 2}),  // off the image
      geometry(window({3, 3}, {1, 1}, {0, 0, 0, 0}), {1, 1, 40, 50}, {1, 1}),
      geometry(window({1, 2, 1}, {1, 1, 2}, {0, 1, 2, 1, 0, 1}), {1, 2, 3, 4, 5}, {2, 2, 2}),
      geometry(window({1, 1}, {1, 1}, {2, 1, 2, 1}), {1, 1, 1, 900}, {5, 3}),
      geometry(window({1, 1}, {1, 1}, {1, 1, 1, 1}), {1, 1, 90, 70}, {3, 3}),
      geometry(window({}, {}, {300, 300}), {1, 1, 700}, {1}),  // strips of padding alone
  };
  return all;
}

TEST(ConvWindows, SeeWhatTheDefinitionSays) {
  for (const ConvGeometry& g : some_geometries()) {
    const ConvWindows windows(g);
    // In two parts, so that a range that starts inside a row of outputs is met.
    for (const bool second : {false, true}) {
      const std::int64_t middle = g.positions() / 2;
      const std::int64_t begin = second ? middle : 0, end = second ? g.positions() : middle;
      std::vector<std::vector<std::int64_t>> seen;
      std::vector<bool> insides;
      windows.visit(
          begin, end,
          [&](std::int64_t i, bool inside) {
            ASSERT_EQ(i, static_cast<std::int64_t>(seen.size()));
            seen.emplace_back(static_cast<std::size_t>(g.kernel_size()), -1);
            insides.push_back(inside);
          },
          [&](std::int64_t tap, std::int64_t count, std::int64_t pixel) {
            for (std::int64_t k = 0; k < count; ++k) {
              seen.back()[static_cast<std::size_t>(tap + k)] = pixel + k;
            }
          });
      ASSERT_EQ(static_cast<std::int64_t>(seen.size()), end - begin);
      for (std::int64_t p = begin; p < end; ++p) {
        const auto i = static_cast<std::size_t>(p - begin);
        const std::vector<std::int64_t> want = pixels_under(g, p);
        ASSERT_EQ(seen[i], want) << "window " << p;
        EXPECT_EQ(insides[i], std::count(want.begin(), want.end(), -1) == 0);
      }
    }
  }
}

TEST(ImageStrips, CoverAllWindowsAndTheirPixels) {
  for (const ConvGeometry& g : some_geometries()) {
    const ImageStrips strips(g);
    std::int64_t next = 0;
    for (std::int64_t i = 0; i < strips.count(); ++i) {
      const ImageStrip strip = strips.at(i);
      EXPECT_EQ(strip.window_begin, next);
      EXPECT_LT(strip.window_begin, strip.window_end);
      EXPECT_LE(strip.pixel_end - strip.pixel_begin, strips.most_pixels());
      next = strip.window_end;
      for (std::int64_t p = strip.window_begin; p < strip.window_end; ++p) {
        for (const std::int64_t pixel : pixels_under(g, p)) {
          if (pixel < 0) continue;
          EXPECT_GE(pixel, strip.pixel_begin);
          EXPECT_LT(pixel, strip.pixel_end);
        }
      }
    }
    EXPECT_EQ(next, g.positions());
  }
}

TEST(ImageStrips, AreOfWholeRowsAndAlikeInSize) {
  const ImageStrips strips(geometry(window({1, 1}, {1, 1}, {1, 1, 1, 1}), {1, 8, 56, 56}, {3, 3}));
  ASSERT_EQ(strips.count(), 12);
  EXPECT_EQ(strips.at(0).window_end, 5 * 56);
  EXPECT_EQ(strips.at(0).pixel_end, 6 * 56);
  EXPECT_EQ(strips.at(1).pixel_begin, 4 * 56);
  EXPECT_EQ(strips.at(11).window_end, 56 * 56);
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
