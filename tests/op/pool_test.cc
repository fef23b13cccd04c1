// Pools against numbers worked out by hand.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "tests/support/one_op.h"

namespace pbatch::testing {
namespace {

using WindowInts = std::vector<std::int64_t>;

const Tensor kRow = floats({1, 1, 6}, {1, 5, 2, 4, 3, 6});

OneOp pool(const std::string& type, const WindowInts& kernel, const WindowInts& strides) {
  OneOp op(type, 19);
  op.attr("kernel_shape", kernel).attr("strides", strides);
  return op;
}

TEST(MaxPool, TakesTheGreatest) {
  expect_near(pool("MaxPool", {2}, {2}).input(kRow).result(), {1, 1, 3}, {5, 4, 6});
  expect_near(pool("MaxPool", {2}, {1}).attr("dilations", WindowInts{2}).input(kRow).result(),
              {1, 1, 4}, {2, 5, 3, 6});
  expect_near(pool("MaxPool", {3}, {2}).attr("pads", WindowInts{1, 0}).input(kRow).result(),
              {1, 1, 3}, {5, 5, 6});
  // Padding is not 0: it takes no part.
  const Tensor negative = floats({1, 1, 2}, {-3, -1});
  expect_near(pool("MaxPool", {2}, {1}).attr("pads", WindowInts{1, 1}).input(negative).result(),
              {1, 1, 3}, {-3, -1, -1});
}

TEST(MaxPool, LetsTheLastWindowHangOver) {
  expect_near(pool("MaxPool", {3}, {2}).input(kRow).result(), {1, 1, 2}, {5, 4});
  expect_near(pool("MaxPool", {3}, {2}).attr("ceil_mode", std::int64_t{1}).input(kRow).result(),
              {1, 1, 3}, {5, 4, 6});
}

TEST(MaxPool, WorksInTwoDimensionsAndOnBytes) {
  const Tensor image = floats({1, 1, 2, 3}, {1, 2, 3, 6, 5, 4});
  expect_near(pool("MaxPool", {2, 2}, {1, 1}).input(image).result(), {1, 1, 1, 2}, {6, 5});
  const Tensor bytes = make_tensor<std::uint8_t>(DType::u8, {1, 1, 4}, {200, 1, 3, 255});
  const Tensor y = pool("MaxPool", {2}, {2}).input(bytes).result();
  ASSERT_EQ(y.dtype(), DType::u8);
  EXPECT_EQ(y.data<std::uint8_t>()[0], 200);
  EXPECT_EQ(y.data<std::uint8_t>()[1], 255);
}

// The window's greatest element by its definition: every tap, those outside left out.
float naive_maximum(const Tensor& x, const WindowInts& start, const WindowInts& kernel,
                    const WindowInts& dilations, std::int64_t image) {
  std::int64_t taps = 1;
  for (const std::int64_t k : kernel) taps *= k;
  float most = -INFINITY;
  for (std::int64_t t = 0; t < taps; ++t) {
    std::int64_t rest = t, offset = 0, stride = 1;
    bool inside = true;
    for (std::size_t d = kernel.size(); d-- > 0;) {
      const std::int64_t at = start[d] + rest % kernel[d] * dilations[d];
      inside = inside && at >= 0 && at < x.dim(d + 2);
      offset += at * stride;
      stride *= x.dim(d + 2);
      rest /= kernel[d];
    }
    if (!inside) continue;
    const float v = x.data<float>()[image * (x.size() / (x.dim(0) * x.dim(1))) + offset];
    if (std::isnan(v)) return v;
    most = std::max(most, v);
  }
  return most;
}

void expect_same_floats(const Tensor& got, const std::vector<float>& want) {
  ASSERT_EQ(static_cast<std::size_t>(got.size()), want.size());
  for (std::size_t i = 0; i < want.size(); ++i) {
    const float y = got.data<float>()[i];
    EXPECT_TRUE(y == want[i] || (std::isnan(y) && std::isnan(want[i])))
        << "at element " << i << ": " << y << ", not " << want[i];
  }
}

struct MaxCase {
  Shape x;
  WindowInts kernel, strides, dilations, pads;
  std::int64_t ceil_mode = 0;
};

TEST(MaxPool, KeepsNanAndMinusInfinity) {
  const std::vector<MaxCase> cases{{{2, 2, 11}, {3}, {1}, {1}, {0, 0}},
                                   {{2, 2, 11}, {3}, {2}, {2}, {1, 1}},
                                   {{1, 3, 7, 9}, {2, 3}, {2, 2}, {1, 1}, {0, 1, 1, 2}, 1},
                                   {{1, 2, 9, 9}, {2, 2}, {1, 3}, {3, 2}, {0, 0, 0, 0}},
                                   {{1, 2, 5, 4, 6}, {2, 2, 3}, {1, 2, 2}, {1, 1, 1}, {}}};
  std::mt19937 random(7);
  for (const MaxCase& c : cases) {
    for (const int odd : {0, 1, 2, 3}) {  // which odd numbers are there: NaN, -inf, both
      Result<Tensor> x = Tensor::create(DType::f32, c.x);
      for (std::int64_t i = 0; i < x->size(); ++i) {
        const unsigned r = random() % 8;
        float v = static_cast<float>(random() % 100) - 50;
        if (r == 0 && (odd & 1) != 0) v = std::numeric_limits<float>::quiet_NaN();
        if (r > 1 && (odd & 2) != 0) v = -INFINITY;
        x->mutable_data<float>()[i] = v;
      }
      OneOp op = pool("MaxPool", c.kernel, c.strides);
      op.attr("dilations", c.dilations).attr("ceil_mode", c.ceil_mode).input(*x);
      if (!c.pads.empty()) op.attr("pads", c.pads);
      const Tensor y = op.result();
      std::vector<float> want;
      const std::int64_t images = y.dim(0) * y.dim(1), positions = y.size() / images;
      for (std::int64_t n = 0; n < y.size(); ++n) {
        WindowInts start(c.kernel.size());
        std::int64_t rest = n % positions;
        for (std::size_t d = start.size(); d-- > 0;) {
          start[d] = rest % y.dim(d + 2) * c.strides[d] - (c.pads.empty() ? 0 : c.pads[d]);
          rest /= y.dim(d + 2);
        }
        want.push_back(naive_maximum(*x, start, c.kernel, c.dilations, n / positions));
      }
      expect_same_floats(y, want);
    }
  }
}

TEST(GlobalPool, KeepsNanAndMinusInfinity) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor x = floats({1, 3, 2, 2}, {1, nan, 3, 6, -INFINITY, -INFINITY, -INFINITY, -INFINITY,
                                         -INFINITY, -7, -8, -9});
  expect_same_floats(OneOp("GlobalMaxPool").input(x).result(), {nan, -INFINITY, -7});
}

TEST(MaxPool, RefusesWhatItCannotDo) {
  const auto line = [](Result<std::vector<Tensor>> r) { return r.status().to_line(); };
  EXPECT_NE(line(OneOp("MaxPool").input(kRow).run()).find("kernel_shape"), std::string::npos);
  EXPECT_EQ(
      pool("MaxPool", {2}, {1}).attr("pads", WindowInts{2, 0}).input(kRow).run().status().code(),
      ErrorCode::unsupported);  // the first window sees only padding
  EXPECT_EQ(pool("MaxPool", {7}, {1}).input(kRow).run().status().code(), ErrorCode::shape_mismatch);
}

TEST(MaxPool, SaysWhereTheFirstOfTheGreatestStands) {
  const float nan = std::nanf("");
  const Tensor x = floats({1, 2, 4}, {1, 3, 3, -INFINITY, -INFINITY, nan, 5, nan});
  const auto made = pool("MaxPool", {2}, {1}).attr("pads", WindowInts{1, 0}).input(x).run(2);
  ASSERT_TRUE(made) << made.status().to_line();
  expect_same_floats((*made)[0], {1, 3, 3, 3, -INFINITY, nan, nan, nan});
  const auto places = (*made)[1].span<std::int64_t>();
  EXPECT_EQ(WindowInts(places.begin(), places.end()), (WindowInts{0, 1, 1, 2, 4, 5, 5, 7}));
  EXPECT_EQ(
      pool("MaxPool", {2}, {1}).attr("pads", WindowInts{2, 0}).input(kRow).run(2).status().code(),
      ErrorCode::unsupported);  // the first window sees only padding
}

TEST(MaxPool, OfNoImagesTakesNoTime) {
  const std::int64_t large = std::int64_t{1} << 30;
  const auto made = pool("MaxPool", {2}, {1}).input(floats({0, 1, large}, {})).run(2);
  ASSERT_TRUE(made) << made.status().to_line();
  EXPECT_EQ((*made)[1].shape(), (Shape{0, 1, large - 1}));
}

TEST(LpPool, TakesNormsAndRefusesOthers) {
  const Tensor x = floats({1, 1, 4}, {3, -4, 0, 2});
  expect_near(pool("LpPool", {2}, {2}).input(x).result(), {1, 1, 2}, {5, 2});
  expect_near(OneOp("GlobalLpPool").attr("p", std::int64_t{1}).input(x).result(), {1, 1, 1}, {9});
  EXPECT_EQ(pool("LpPool", {2}, {2}).attr("p", std::int64_t{0}).input(x).run().status().code(),
            ErrorCode::malformed);
  EXPECT_EQ(OneOp("LpPool").input(x).run().status().code(), ErrorCode::malformed);
  EXPECT_EQ(OneOp("GlobalLpPool").input(floats({1, 1}, {1})).run().status().code(),
            ErrorCode::shape_mismatch);
}

TEST(AveragePool, CountsPaddingOnlyWhenAsked) {
  const auto average = [](std::int64_t with_padding) {
    return pool("AveragePool", {3}, {3})
        .attr("pads", WindowInts{1, 0})
        .attr("count_include_pad", with_padding)
        .input(kRow)
        .result();
  };
  expect_near(average(0), {1, 1, 2}, {3, 3});
  expect_near(average(1), {1, 1, 2}, {2, 3});
}

TEST(AveragePool, LeavesOutWhatHangsOver) {
  const auto average = [](std::int64_t with_padding) {
    return pool("AveragePool", {4}, {4})
        .attr("pads", WindowInts{1, 0})
        .attr("ceil_mode", std::int64_t{1})
        .attr("count_include_pad", with_padding)
        .input(kRow)
        .result();
  };
  // Windows hold (pad, 1, 5, 2) and (4, 3, 6, nothing).
  expect_near(average(0), {1, 1, 2}, {8.0F / 3, 13.0F / 3});
  expect_near(average(1), {1, 1, 2}, {2, 13.0F / 3});
}

TEST(GlobalPool, CoversTheWholeImage) {
  const Tensor x = floats({1, 2, 2, 2}, {1, 2, 3, 6, -4, -3, -2, -1});
  expect_near(OneOp("GlobalAveragePool").input(x).result(), {1, 2, 1, 1}, {3, -2.5F});
  expect_near(OneOp("GlobalMaxPool").input(x).result(), {1, 2, 1, 1}, {6, -1});
  EXPECT_EQ(OneOp("GlobalMaxPool").input(floats({1, 2}, {1, 2})).run().status().code(),
            ErrorCode::shape_mismatch);
}

}  // namespace
}  // namespace pbatch::testing
