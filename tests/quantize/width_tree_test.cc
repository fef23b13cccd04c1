#include "quantize/width_tree.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace pbatch {
namespace {

// The text of choose(), every code tried, in double.
double cost_of(const TreeWidths& widths, const double* weight, const float* target,
               const float* half_step, int code) {
  double cost = 0;
  for (int i = 0; i < widths.count; ++i) {
    const int n = widths.width[static_cast<std::size_t>(i)];
    const double level =
        2.0 * std::floor(code / std::pow(2.0, widths.top() - n)) - (std::pow(2.0, n) - 1);
    const double e = target[i] - half_step[i] * level;
    cost += weight[i] * e * e;
  }
  return cost;
}

TEST(WidthTree, ServesTheWidthsBelowItsPlanes) {
  EXPECT_EQ(TreeWidths(1).count, 1);
  EXPECT_EQ(TreeWidths(4).count, 4);
  EXPECT_EQ(TreeWidths(4).top(), 4);
  const TreeWidths eight(8);  // 7 is left to its neighbours
  ASSERT_EQ(eight.count, 7);
  EXPECT_EQ(eight.width[5], 6);
  EXPECT_EQ(eight.top(), 8);
  EXPECT_EQ(TreeWidths(16).top(), 8);
}

TEST(WidthTree, TakesTheCodeOfLeastCostAmongAll) {
  std::mt19937 engine(1);
  std::uniform_real_distribution<float> uniform(-1.3f, 1.3f);
  std::normal_distribution<float> normal(0, 0.05f);
  for (int planes = 1; planes <= 8; ++planes) {
    const TreeWidths widths(planes);
    for (int trial = 0; trial < 300; ++trial) {
      double weight[kTreePlanes];
      float target[kTreePlanes], half_step[kTreePlanes];
      const float x = uniform(engine);
      for (int i = 0; i < widths.count; ++i) {
        const int n = widths.width[static_cast<std::size_t>(i)];
        weight[i] = std::pow(4.0, n) * (1 + trial % 7);
        target[i] = x + normal(engine);
        half_step[i] = std::ldexp(1 + normal(engine), -n);
      }
      const int chosen = WidthTree(widths, weight).choose(target, half_step);
      double least = INFINITY;
      for (int u = 0; u < 1 << planes; ++u) {
        least = std::min(least, cost_of(widths, weight, target, half_step, u));
      }
      ASSERT_GE(chosen, 0);
      ASSERT_LT(chosen, 1 << planes);
      // float32 may not tell codes apart whose costs are as near as this.
      EXPECT_LE(cost_of(widths, weight, target, half_step, chosen), least * 1.00001)
          << planes << " planes, trial " << trial;
    }
  }
}

TEST(WidthTree, AWidthThatAloneCountsGetsItsNearestLevel) {
  const TreeWidths widths(8);
  double weight[kTreePlanes] = {};
  weight[3] = 1;  // 4 bits
  float target[kTreePlanes] = {}, half_step[kTreePlanes] = {};
  for (int i = 0; i < widths.count; ++i) {
    half_step[i] = std::ldexp(1.0f, -widths.width[static_cast<std::size_t>(i)]);
  }
  target[3] = 0.3f;  // levels are odd sixteenths: 5/16 = 0.3125 is the nearest
  const int code = WidthTree(widths, weight).choose(target, half_step);
  EXPECT_EQ(level_of(code, 8, 4), 5);
}

}  // namespace
}  // namespace pbatch
