// The knapsack against all combinations, and on problems of the size of large networks.
#include "tools/allocate/knapsack.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace pbatch {
namespace {

struct Sums {
  double cost = 0, harm = 0;
};

Sums sums_of(const std::vector<std::vector<Choice>>& items,
             const std::vector<std::size_t>& answer) {
  Sums sums;
  for (std::size_t i = 0; i < items.size(); ++i) {
    sums.cost += items[i][answer[i]].cost;
    sums.harm += items[i][answer[i]].harm;
  }
  return sums;
}

// Of all combinations.
std::optional<Sums> brute_force(const std::vector<std::vector<Choice>>& items, double budget) {
  std::optional<Sums> best;
  std::vector<std::size_t> at(items.size());
  while (true) {
    const Sums sums = sums_of(items, at);
    if (sums.cost <= budget &&
        (!best || sums.harm < best->harm || (sums.harm == best->harm && sums.cost < best->cost))) {
      best = sums;
    }
    std::size_t i = 0;
    while (i < items.size() && ++at[i] == items[i].size()) at[i++] = 0;
    if (i == items.size()) return best;
  }
}

TEST(Knapsack, AgreesWithAllCombinations) {
  std::mt19937 random(1);
  for (int trial = 0; trial < 300; ++trial) {
    std::vector<std::vector<Choice>> items(1 + random() % 6);
    for (auto& item : items) {
      item.resize(1 + random() % 6);
      // Whole numbers, whose sums are exact, with many ties.
      for (Choice& c : item) c = {double(random() % 20), double(random() % 20)};
    }
    const double budget = double(random() % 90);
    const auto expected = brute_force(items, budget);
    const auto answer = solve_knapsack(items, budget);
    ASSERT_EQ(answer.has_value(), expected.has_value()) << trial;
    if (!answer) continue;
    const Sums sums = sums_of(items, *answer);
    EXPECT_EQ(sums.harm, expected->harm) << trial;
    EXPECT_EQ(sums.cost, expected->cost) << trial;
  }
}

// Errors that fall by four with every bit, bytes that grow with it.
std::vector<std::vector<Choice>> like_layers(std::size_t count, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> uniform(0, 1);
  std::vector<std::vector<Choice>> items(count);
  for (auto& item : items) {
    const double size = std::exp(6 * uniform(random)), weight = std::exp(8 * uniform(random));
    for (int abits = 8; abits <= 16; abits += 8) {
      for (int bits = 1; bits <= 8; ++bits) {
        item.push_back({size * (bits + 0.5 + uniform(random) / 4) * (abits == 8 ? 0.8 : 1),
                        weight * (std::pow(0.25, bits) + (abits == 8 ? 1e-5 : 0))});
      }
    }
  }
  return items;
}

TEST(Knapsack, AgreesWithAllCombinationsOfRealNumbers) {
  for (std::uint32_t seed = 0; seed < 8; ++seed) {
    const auto items = like_layers(4, seed);
    double least = 0, most = 0;
    for (const auto& item : items) {
      least += item[0].cost;
      most += item.back().cost;
    }
    for (const double part : {0.001, 0.1, 0.5, 0.9, 1.001}) {
      const double budget = least + part * (most - least);
      const auto answer = solve_knapsack(items, budget);
      ASSERT_TRUE(answer);
      EXPECT_NEAR(sums_of(items, *answer).harm, brute_force(items, budget)->harm,
                  1e-9 * brute_force(items, budget)->harm);
    }
  }
}

TEST(Knapsack, KeepsTheBudgetOfManyLayers) {
  const auto items = like_layers(100, 7);
  double four_bits = 0;
  for (const auto& item : items) four_bits += item[11].cost;  // 4 bits, 16-bit activations
  const auto answer = solve_knapsack(items, four_bits);
  ASSERT_TRUE(answer);
  EXPECT_LE(sums_of(items, *answer).cost, four_bits * (1 + 1e-9));
  EXPECT_LT(sums_of(items, *answer).harm,
            sums_of(items, std::vector<std::size_t>(items.size(), 11)).harm);
}

TEST(Knapsack, AlikeLayersAreNoTrap) {
  const std::vector<std::vector<Choice>> items(200, like_layers(1, 3)[0]);
  const auto answer = solve_knapsack(items, 200 * items[0][11].cost * 1.01);
  ASSERT_TRUE(answer);
  EXPECT_LE(sums_of(items, *answer).harm, 200 * items[0][11].harm);
}

TEST(Knapsack, NothingFits) {
  EXPECT_FALSE(solve_knapsack(std::vector<std::vector<Choice>>{{{3, 1}}, {{4, 1}, {5, 0}}}, 6.9));
  EXPECT_TRUE(solve_knapsack(std::vector<std::vector<Choice>>{}, 0)->empty());
}

}  // namespace
}  // namespace pbatch
