#include "calibrate/draws.h"

#include <gtest/gtest.h>

#include <cmath>

#include "calibrate/language_model.h"

namespace pbatch {
namespace {

TEST(Draws, AreThoseOfSplitmix64) {
  // The published algorithm from state 0: its first outputs are well known.
  Draws draws(0);
  std::uint64_t state = 0x632be59bd9b4e019ULL;
  for (int i = 0; i < 5; ++i) {
    std::uint64_t z = (state += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    EXPECT_EQ(draws.bits(), z ^ (z >> 31));
  }
}

TEST(Draws, HaveTheMomentsTheyPromise) {
  Draws draws(7);
  const int count = 100000;
  double mean = 0, square = 0, uniform = 0;
  for (int i = 0; i < count; ++i) {
    const double x = draws.normal();
    mean += x / count;
    square += x * x / count;
    uniform += draws.uniform() / count;
    const std::int64_t below = draws.below(3);
    ASSERT_TRUE(below >= 0 && below < 3);
  }
  EXPECT_NEAR(mean, 0, 0.02);
  EXPECT_NEAR(square, 1, 0.02);
  EXPECT_NEAR(uniform, 0.5, 0.01);
}

TEST(DrawToken, FollowsTheSoftmax) {
  const float logits[] = {0, std::log(2.0f), std::log(5.0f)};  // 1/8, 2/8, 5/8
  EXPECT_EQ(draw_token(logits, 3, 0.0), 0);
  EXPECT_EQ(draw_token(logits, 3, 0.124), 0);
  EXPECT_EQ(draw_token(logits, 3, 0.126), 1);
  EXPECT_EQ(draw_token(logits, 3, 0.374), 1);
  EXPECT_EQ(draw_token(logits, 3, 0.376), 2);
  EXPECT_EQ(draw_token(logits, 3, 0.999999), 2);
  const float far[] = {-1e30f, 0, -1e30f};
  EXPECT_EQ(draw_token(far, 3, 0.5), 1);
}

}  // namespace
}  // namespace pbatch
