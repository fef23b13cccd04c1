// Layouts of images: conversions by their definition, and plans of networks that mix them against
// the operators one by one, which know the plain layout only.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "product/image_layout.h"
#include "tests/support/graph_maker.h"

namespace pbatch {
namespace {

using testing::GraphMaker;
using testing::Lane;
using testing::one_by_one;
using testing::random_floats;
using testing::tensor_of;

TEST(Layout, MovesEveryElementToItsPlace) {
  ThreadPool pool(2);
  for (const Shape& shape : {Shape{2, 3, 5}, Shape{1, 40, 7, 9}, Shape{3, 17, 2, 3, 4}}) {
    std::int64_t count = 1;
    for (const std::int64_t d : shape) count *= d;
    const std::vector<float> x = random_floats(static_cast<std::size_t>(count), 1);
    std::vector<float> last(x.size()), back(x.size());
    change_layout(shape, 4, Layout::channels_last, x.data(), last.data(), pool);
    const std::vector<std::int64_t> strides = strides_in_memory(shape, Layout::channels_last);
    std::vector<std::int64_t> at(shape.size(), 0);
    for (std::size_t i = 0; i < x.size(); ++i) {
      std::int64_t offset = 0;
      for (std::size_t d = 0; d < shape.size(); ++d) offset += at[d] * strides[d];
      ASSERT_EQ(last[static_cast<std::size_t>(offset)], x[i]);
      for (std::size_t d = shape.size(); d-- > 0;) {
        if (++at[d] < shape[d]) break;
        at[d] = 0;
      }
    }
    EXPECT_EQ(strides[1], 1);
    change_layout(shape, 4, Layout::plain, last.data(), back.data(), pool);
    EXPECT_EQ(back, x);
  }
}

TEST(Layout, IsOneWhereNothingMoves) {
  EXPECT_TRUE(has_one_layout({4, 5}));
  EXPECT_TRUE(has_one_layout({2, 1, 7, 7}));
  EXPECT_TRUE(has_one_layout({2, 9, 1, 1}));
  EXPECT_FALSE(has_one_layout({2, 9, 1, 3}));
  EXPECT_EQ(shape_in_memory({2, 3, 4, 5}, Layout::channels_last), (Shape{2, 4, 5, 3}));
  EXPECT_EQ(axis_in_memory(1, 4, Layout::channels_last), 3u);
  EXPECT_EQ(axis_in_memory(3, 4, Layout::channels_last), 2u);
}

// A network over images of 6 channels, 8 x 8, whose operators want different layouts.
Program layout_program(unsigned seed) {
  using Ints = std::vector<std::int64_t>;
  std::mt19937 rng(seed);
  GraphMaker g;
  std::vector<ValueId> images = {g.input("x"), g.floats({1, 6, 8, 8}, seed)};
  const auto any = [&] { return images[rng() % images.size()]; };
  for (int i = 0; i < 16; ++i) {
    ValueId made = kNoValue;
    switch (rng() % 14) {
      case 0:
      case 1:
        made = g.add("Conv", {any(), g.floats({6, 6, 3, 3}, seed + 1), g.floats({6}, seed)},
                     {{"pads", Ints{1, 1, 1, 1}}});
        made = g.add("Mul", {made, g.floats({}, seed)});
        break;
      case 2:
        made = g.add("Conv", {any(), g.floats({6, 1, 3, 3}, seed + 1)},
                     {{"pads", Ints{1, 1, 1, 1}}, {"group", std::int64_t{6}}});
        break;
      case 3:
        made = g.add("Sigmoid", {any()});
        break;
      case 4:
        made = g.add("Add", {any(), any()});
        break;
      case 5:
        made = g.add("Mul", {g.floats({6, 1, 1}, seed + 2), any()});
        break;
      case 6:
        made =
            g.add("MaxPool", {any()}, {{"kernel_shape", Ints{3, 3}}, {"pads", Ints{1, 1, 1, 1}}});
        break;
      case 7:
        made = g.add("AveragePool", {any()},
                     {{"kernel_shape", Ints{3, 2}}, {"pads", Ints{1, 0, 1, 1}}});
        break;
      case 8:
        made = g.add("Concat", {any(), any()}, {{"axis", std::int64_t{1}}});
        made = g.add("Conv", {made, g.floats({6, 12, 1, 1}, seed + 3)});
        break;
      case 9:
        made = g.add("Transpose", {any()}, {{"perm", Ints{0, 2, 3, 1}}});
        made = g.add("Relu", {made});
        made = g.add("Transpose", {made}, {{"perm", Ints{0, 3, 1, 2}}});
        break;
      case 10:
        made = g.add("Mul", {any(), g.add("GlobalAveragePool", {any()})});
        break;
      case 11:
        made = g.add("Sub", {any(), g.add("ReduceMean", {any()},
                                          {{"axes", rng() % 2 == 0 ? Ints{2, 3} : Ints{1}}})});
        break;
      case 12:
        made = g.add("Softmax", {any()}, {{"axis", std::int64_t{1}}});
        break;
      default:
        made = g.add("Add", {any(), g.floats({8}, seed + 4)});
        made = g.add("Clip", {made, g.floats({}, seed + 5)});
    }
    images.push_back(made);
  }
  return g.program({images.back(), images[images.size() - 3], images[images.size() - 7]});
}

TEST(Layout, OfAPlanDoesNotChangeWhatItComputes) {
  for (unsigned seed = 0; seed < 150; ++seed) {
    const Program program = layout_program(seed);
    Lane lane;
    const std::vector<Tensor> inputs{tensor_of({1, 6, 8, 8}, random_floats(384, seed + 9))};
    const auto made = program.run(lane.context, inputs);
    ASSERT_TRUE(made) << made.status().to_line();
    const std::vector<Tensor> expected = one_by_one(program, inputs);
    for (std::size_t o = 0; o < expected.size(); ++o) {
      ASSERT_EQ((*made)[o].shape(), expected[o].shape());
      double most = 0, worst = 0;
      for (std::int64_t i = 0; i < expected[o].size(); ++i) {
        const double wanted = expected[o].data<float>()[i];
        most = std::max(most, std::fabs(wanted));
        worst = std::max(worst, std::fabs((*made)[o].data<float>()[i] - wanted));
      }
      EXPECT_LE(worst, 2e-5 * most) << "seed " << seed << " output " << o;
    }
  }
}

// Between convolutions, pools and elementwise operators nothing is converted.
TEST(Layout, StaysBetweenConvolutions) {
  using Ints = std::vector<std::int64_t>;
  GraphMaker g;
  const ValueId x = g.input("x");
  ValueId v = g.add("Conv", {x, g.floats({8, 3, 3, 3}, 1)}, {{"pads", Ints{1, 1, 1, 1}}});
  const ValueId shortcut = v = g.add("Relu", {v});
  v = g.add("Conv", {v, g.floats({8, 8, 3, 3}, 2)}, {{"pads", Ints{1, 1, 1, 1}}});
  v = g.add("Add", {v, shortcut});
  v = g.add("MaxPool", {v}, {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}});
  v = g.add("GlobalAveragePool", {g.add("Sigmoid", {v})});
  const Program program = g.program({g.add("Flatten", {v})});
  Lane lane;
  const Tensor in = tensor_of({1, 3, 8, 8}, random_floats(192, 1));
  const auto plan = program.plan(lane.context, {&in, 1});
  ASSERT_TRUE(plan) << plan.status().to_line();
  for (const Plan::Entry& entry : (*plan)->entries()) EXPECT_NE(entry.info.op_type, "Reorder");
}

}  // namespace
}  // namespace pbatch
