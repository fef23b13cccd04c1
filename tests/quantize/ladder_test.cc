#include "quantize/ladder.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>

namespace pbatch {
namespace {

double cost(const std::array<double, 256>& mass, const std::vector<int>& ladder) {
  double sum = 0;
  for (int t = 1; t < 256; ++t) {
    if (mass[static_cast<std::size_t>(t)] == 0) continue;
    double least = std::numeric_limits<double>::infinity();
    for (const int level : ladder) {
      if (level >= t) least = std::min(least, static_cast<double>(level) * level);
    }
    sum += mass[static_cast<std::size_t>(t)] * least;
  }
  return sum;
}

TEST(Ladder, EqualsTheBestOfAllSubsets) {
  std::mt19937 random(1);
  for (int round = 0; round < 20; ++round) {
    std::array<double, 256> mass{};
    std::vector<int> steps;
    for (int i = 0; i < 9; ++i) {
      const int t = 1 + static_cast<int>(random() % 255);
      mass[static_cast<std::size_t>(t)] += 1 + random() % 100;
    }
    for (int t = 1; t < 256; ++t) {
      if (mass[static_cast<std::size_t>(t)] > 0) steps.push_back(t);
    }
    for (int levels = 1; levels <= 4; ++levels) {
      double best = std::numeric_limits<double>::infinity();
      for (unsigned set = 0; set < 1u << steps.size(); ++set) {
        std::vector<int> chosen;
        for (std::size_t i = 0; i < steps.size(); ++i) {
          if ((set >> i & 1) != 0) chosen.push_back(steps[i]);
        }
        if (static_cast<int>(chosen.size()) <= levels) best = std::min(best, cost(mass, chosen));
      }
      const std::vector<int> ladder = fit_ladder(mass, levels);
      EXPECT_LE(static_cast<int>(ladder.size()), levels);
      EXPECT_TRUE(std::is_sorted(ladder.begin(), ladder.end()));
      EXPECT_EQ(ladder.back(), steps.back());
      EXPECT_DOUBLE_EQ(cost(mass, ladder), best);
    }
  }
}

TEST(Ladder, FewStepsAreAllTaken) {
  std::array<double, 256> mass{};
  EXPECT_TRUE(fit_ladder(mass, 24).empty());
  mass[3] = 1;
  mass[255] = 0.5;
  EXPECT_EQ(fit_ladder(mass, 24), (std::vector<int>{3, 255}));
}

}  // namespace
}  // namespace pbatch
