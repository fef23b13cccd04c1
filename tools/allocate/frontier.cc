#include "tools/allocate/frontier.h"

#include <algorithm>

#include "tools/allocate/fit_inputs.h"
#include "tools/allocate/knapsack.h"
#include "tools/allocate/network_model.h"
#include "tools/allocate/sensitivity.h"

namespace pbatch {

Result<std::vector<PlannedWidth>> plan_frontier(const Session& session, const InputSets& given,
                                                const WidthRange& widths, double seconds,
                                                Progress& progress) {
  WidthRange range = widths;
  const int abits = *std::max_element(widths.activation_bits.begin(), widths.activation_bits.end());
  range.activation_bits.assign(1, abits);
  std::vector<LayerItem> items = layer_items(session, range);
  PBATCH_ASSIGN_OR_RETURN(const InputSets sets, fit_inputs(session, Precision::f32(), given,
                                                           2.0 * double(items.size()), seconds));
  PBATCH_RETURN_IF_ERROR(measure_sensitivity(session, sets, seconds, items, progress));
  std::vector<std::vector<Choice>> choices;
  for (const LayerItem& item : items) {
    choices.emplace_back();
    for (const LayerChoice& c : item.choices) {
      choices.back().push_back({double(c.bytes), c.squared_error});
    }
  }
  std::vector<PlannedWidth> planned;
  std::vector<Chosen> known;
  for (const int width : widths.weight_bits) {
    const Chosen uniform = nearest_choices(items, {width, abits});
    const auto chosen = solve_knapsack(choices, double(sum_of_bytes(items, uniform)));
    if (!chosen || *chosen == uniform) continue;
    if (std::find(known.begin(), known.end(), *chosen) != known.end()) continue;
    known.push_back(*chosen);
    planned.push_back({width, precision_of(items, *chosen, widths.exact)});
  }
  return planned;
}

}  // namespace pbatch
