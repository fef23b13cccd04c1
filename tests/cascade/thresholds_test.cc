#include "cascade/thresholds.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "cascade/clopper_pearson.h"

namespace pbatch {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

TEST(MostDisagreements, IsTheLastThatKeepsTheBound) {
  EXPECT_EQ(most_disagreements(2994, 0.001, 0.95), -1);
  EXPECT_EQ(most_disagreements(2995, 0.001, 0.95), 0);
  EXPECT_EQ(most_disagreements(60000, 0.001, 0.95), 47);
  for (const std::int64_t items : {50, 333}) {
    std::int64_t most = -1;
    while (clopper_pearson_upper(most + 1, items, 0.9) <= 0.2) ++most;
    EXPECT_EQ(most_disagreements(items, 0.2, 0.9), most);
  }
}

TEST(FindThreshold, LeavesAsManyDisagreementsAboveAsAllowed) {
  const std::vector<double> margins{5, 4, 3, 2, 1, kNaN};
  const std::vector<bool> agrees{true, false, true, false, true, false};
  StageCalibration none = find_threshold(margins, agrees, 0);
  EXPECT_EQ(none.threshold, 4);
  EXPECT_EQ(none.above, 1);
  EXPECT_EQ(none.disagree, 0);
  const StageCalibration one = find_threshold(margins, agrees, 1);
  EXPECT_EQ(one.threshold, 2);
  EXPECT_EQ(one.above, 3);
  EXPECT_EQ(one.disagree, 1);
  const StageCalibration all = find_threshold(margins, agrees, 2);  // NaN stays unsure
  EXPECT_EQ(all.threshold, -kInf);
  EXPECT_EQ(all.above, 5);
}

TEST(FindThreshold, TreatsEqualMarginsAlike) {
  const StageCalibration stage = find_threshold({1, 1, 1, 2}, {true, false, true, true}, 0);
  EXPECT_EQ(stage.threshold, 1);
  EXPECT_EQ(stage.above, 1);
}

// Items whose margin m is uniform in (0, 1) and that disagree with a chance of (1 - m)^3 / 4: the
// share that disagrees above t is (1 - t)^4 / 16. In how many of many calibrations is it above what
// was allowed? No more often than the confidence leaves.
TEST(FindThreshold, KeepsItsPromiseOnItemsNotSeen) {
  constexpr double kShare = 0.01, kConfidence = 0.9;
  constexpr int kItems = 1000, kTimes = 2000;
  std::mt19937 engine(3);
  std::uniform_real_distribution<double> uniform;
  const std::int64_t most = most_disagreements(kItems, kShare, kConfidence);
  int broken = 0;
  for (int time = 0; time < kTimes; ++time) {
    std::vector<double> margins;
    std::vector<bool> agrees;
    for (int i = 0; i < kItems; ++i) {
      margins.push_back(uniform(engine));
      agrees.push_back(uniform(engine) >= std::pow(1 - margins.back(), 3) / 4);
    }
    const double t = find_threshold(margins, agrees, most).threshold;
    if (std::pow(1 - t, 4) / 16 > kShare) ++broken;
  }
  const double expected = kTimes * (1 - kConfidence);
  EXPECT_LT(broken, expected + 4 * std::sqrt(expected));
  EXPECT_GT(broken, expected / 4);  // and not by giving nothing away
}

}  // namespace
}  // namespace pbatch
