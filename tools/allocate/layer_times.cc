#include "tools/allocate/layer_times.h"

#include <algorithm>
#include <set>

namespace pbatch {

Status predict_times(const Session& session, std::span<const InputShape> shapes, bool exact,
                     std::vector<LayerItem>& items) {
  std::set<LayerPrecision> all;
  for (const LayerItem& item : items) {
    for (const LayerChoice& choice : item.choices) all.insert(choice.bits);
  }
  for (const LayerPrecision& bits : all) {
    const std::vector<std::size_t> chosen = nearest_choices(items, bits);
    PBATCH_ASSIGN_OR_RETURN(const std::vector<PlanStep> steps,
                            session.plan(precision_of(items, chosen, exact), shapes));
    std::map<std::string, double> us;
    for (const PlanStep& step : steps) us[step.node] += step.predicted_us;
    for (std::size_t i = 0; i < items.size(); ++i) {
      LayerChoice& choice = items[i].choices[chosen[i]];
      if (choice.bits != bits) continue;
      choice.us = 0;
      for (const std::string& layer : items[i].layers) choice.us += us[layer];
    }
  }
  for (LayerItem& item : items) {
    double fastest = 0;
    for (const LayerChoice& choice : item.choices) {
      if (choice.us > 0 && (fastest == 0 || choice.us < fastest)) fastest = choice.us;
    }
    for (LayerChoice& choice : item.choices) {
      if (choice.us == 0) choice.us = fastest;
    }
  }
  return Status::ok();
}

}  // namespace pbatch
