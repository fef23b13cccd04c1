#include "tools/allocate/knapsack.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>

namespace pbatch {
namespace {

// A choice of an item and where it stood in the caller's list.
struct Option {
  Choice choice;
  std::size_t index = 0;
};

// Falling harm over rising cost: no option is both dearer and no better than another.
std::vector<Option> undominated(const std::vector<Choice>& choices) {
  std::vector<Option> sorted;
  for (std::size_t i = 0; i < choices.size(); ++i) sorted.push_back({choices[i], i});
  std::stable_sort(sorted.begin(), sorted.end(), [](const Option& a, const Option& b) {
    return a.choice.cost != b.choice.cost ? a.choice.cost < b.choice.cost
                                          : a.choice.harm < b.choice.harm;
  });
  std::vector<Option> kept;
  for (const Option& option : sorted) {
    if (kept.empty() || option.choice.harm < kept.back().choice.harm) kept.push_back(option);
  }
  return kept;
}

// A step along the lower convex hull of an item's options.
struct HullStep {
  double cost = 0, gain = 0;  // what it costs more, what harm it takes away
  std::size_t item = 0, to = 0;
  double slope() const { return cost > 0 ? gain / cost : std::numeric_limits<double>::infinity(); }
};

std::vector<HullStep> hull_steps(const std::vector<Option>& options, std::size_t item) {
  std::vector<HullStep> steps;
  std::size_t from = 0;
  while (from + 1 < options.size()) {
    HullStep best;
    for (std::size_t to = from + 1; to < options.size(); ++to) {
      const HullStep step{options[to].choice.cost - options[from].choice.cost,
                          options[from].choice.harm - options[to].choice.harm, item, to};
      if (best.to == 0 || step.slope() >= best.slope()) best = step;
    }
    steps.push_back(best);
    from = best.to;
  }
  return steps;
}

// What the linear relaxation tells.
struct Relaxation {
  double price = 0;  // of a unit of cost, in harm: the optimal multiplier
  double harm = 0;   // of an answer found on the way
};

Relaxation relax(const std::vector<std::vector<Option>>& items, double budget) {
  std::vector<HullStep> steps;
  double cost = 0;
  Relaxation result;
  for (std::size_t i = 0; i < items.size(); ++i) {
    cost += items[i][0].choice.cost;
    result.harm += items[i][0].choice.harm;
    const std::vector<HullStep> own = hull_steps(items[i], i);
    steps.insert(steps.end(), own.begin(), own.end());
  }
  std::stable_sort(steps.begin(), steps.end(),
                   [](const HullStep& a, const HullStep& b) { return a.slope() > b.slope(); });
  std::vector<bool> is_closed(items.size());
  bool is_full = false;
  for (const HullStep& step : steps) {
    if (is_closed[step.item]) continue;
    if (cost + step.cost > budget) {
      if (!is_full) result.price = step.slope();
      is_full = is_closed[step.item] = true;
      continue;
    }
    cost += step.cost;
    result.harm -= step.gain;
  }
  return result;
}

struct State {
  double cost = 0, harm = 0;
  std::uint32_t before = 0;  // the state of the items before
  std::uint32_t option = 0;  // of the last item
};

// What the items behind one cost at least, and are worth at best.
struct Rest {
  double cost = 0, value = 0;  // value: least sum of harm + price * cost
};

std::vector<Rest> rests(const std::vector<std::vector<Option>>& items, double price) {
  std::vector<Rest> rest(items.size() + 1);
  for (std::size_t i = items.size(); i-- > 0;) {
    double least = std::numeric_limits<double>::infinity();
    for (const Option& o : items[i]) least = std::min(least, o.choice.harm + price * o.choice.cost);
    rest[i] = {rest[i + 1].cost + items[i][0].choice.cost, rest[i + 1].value + least};
  }
  return rest;
}

void drop_dominated(std::vector<State>& states) {
  std::sort(states.begin(), states.end(), [](const State& a, const State& b) {
    return a.cost != b.cost ? a.cost < b.cost : a.harm < b.harm;
  });
  std::size_t kept = 0;
  for (const State& state : states) {
    if (kept == 0 || state.harm < states[kept - 1].harm) states[kept++] = state;
  }
  states.resize(kept);
}

}  // namespace

std::optional<std::vector<std::size_t>> solve_knapsack(std::span<const std::vector<Choice>> items,
                                                       double budget) {
  std::vector<std::vector<Option>> options;
  for (const std::vector<Choice>& choices : items) options.push_back(undominated(choices));
  // Sums are rounded, in another order than the caller's.
  constexpr double kRounding = 1e-12;
  const double most_cost = budget + std::abs(budget) * kRounding;
  double least_cost = 0;
  for (const auto& item : options) least_cost += item[0].choice.cost;
  if (!(least_cost <= most_cost)) return std::nullopt;

  const Relaxation relaxed = relax(options, most_cost);
  const std::vector<Rest> rest = rests(options, relaxed.price);
  double scale = 0;
  for (const auto& item : options) scale += item[0].choice.harm;
  const double bound =
      relaxed.harm + relaxed.price * most_cost + kRounding * (scale + relaxed.price * most_cost);

  std::vector<std::vector<State>> layers{{State{}}};
  for (std::size_t i = 0; i < options.size(); ++i) {
    std::vector<State> next;
    const std::vector<State>& now = layers.back();
    for (std::uint32_t s = 0; s < now.size(); ++s) {
      for (std::uint32_t o = 0; o < options[i].size(); ++o) {
        const Choice& choice = options[i][o].choice;
        const State state{now[s].cost + choice.cost, now[s].harm + choice.harm, s, o};
        if (state.cost + rest[i + 1].cost > most_cost) break;  // the options behind cost more
        if (state.harm + relaxed.price * state.cost + rest[i + 1].value > bound) continue;
        next.push_back(state);
      }
    }
    drop_dominated(next);
    layers.push_back(std::move(next));
  }

  std::vector<std::size_t> answer(options.size());
  std::size_t at = layers.back().size() - 1;  // the dearest, which does least harm
  for (std::size_t i = options.size(); i-- > 0;) {
    const State& state = layers[i + 1][at];
    answer[i] = options[i][state.option].index;
    at = state.before;
  }
  return answer;
}

}  // namespace pbatch
