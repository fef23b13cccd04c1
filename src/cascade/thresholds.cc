#include "cascade/thresholds.h"

#include <algorithm>
#include <functional>
#include <limits>

#include "cascade/clopper_pearson.h"

namespace pbatch {

std::int64_t most_disagreements(std::int64_t items, double share, double confidence) {
  std::int64_t kept = -1, missed = items;  // all of them have the bound 1
  while (missed - kept > 1) {
    const std::int64_t middle = kept + (missed - kept) / 2;
    (clopper_pearson_upper(middle, items, confidence) <= share ? kept : missed) = middle;
  }
  return kept;
}

StageCalibration find_threshold(const std::vector<double>& margins, const std::vector<bool>& agrees,
                                std::int64_t most) {
  std::vector<double> wrong;  // margins of items that disagree; NaN is never above a threshold
  for (std::size_t i = 0; i < margins.size(); ++i) {
    if (!agrees[i] && margins[i] == margins[i]) wrong.push_back(margins[i]);
  }
  std::sort(wrong.begin(), wrong.end(), std::greater<>());
  StageCalibration stage;
  stage.threshold = static_cast<std::size_t>(most) < wrong.size()
                        ? wrong[static_cast<std::size_t>(most)]
                        : -std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < margins.size(); ++i) {
    if (!(margins[i] > stage.threshold)) continue;
    ++stage.above;
    if (!agrees[i]) ++stage.disagree;
  }
  return stage;
}

}  // namespace pbatch
