// The multiple-choice knapsack problem, solved exactly.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace pbatch {

/// One of several options of an item. Both are at least 0 and finite.
struct Choice {
  double cost = 0;  ///< of which all items together have a budget
  double harm = 0;  ///< which is to be least
};

/// The index of one choice for each item, so that costs add up to at most `budget` (but for
/// rounding) and the sum of harms is least; of those the one of least cost. None if even the
/// cheapest choices cost more. Dynamic programming over states that no other dominates (Kellerer,
/// Pferschy, Pisinger: Knapsack Problems, 2004, chapter 11), less those whose Lagrangian bound is
/// above a known answer. Precondition: every item has a choice.
std::optional<std::vector<std::size_t>> solve_knapsack(std::span<const std::vector<Choice>> items,
                                                       double budget);

}  // namespace pbatch
