// Cascade::calibrate.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "api/stage_runner.h"
#include "cascade/batch.h"
#include "cascade/clopper_pearson.h"
#include "cascade/margin.h"
#include "cascade/thresholds.h"
#include "pbatch/cascade.h"

namespace pbatch {
namespace {

constexpr std::int64_t kCalibrationBatch = 64;

// What calibration knows of one stage: of every item its margin and whether it has the last stage's
// answer.
struct StageItems {
  std::vector<double> margins;
  std::vector<bool> agrees;
};

// The part of a target that each threshold is given.
struct Part {
  double share, confidence;

  Part(const CalibrationTarget& target, int thresholds)
      : share((1 - target.agreement) / thresholds),
        confidence(1 - (1 - target.confidence) / thresholds) {}
};

Status check_target(const CalibrationTarget& target) {
  const auto is_share = [](double v) { return v > 0 && v < 1; };
  if (is_share(target.agreement) && is_share(target.confidence)) return Status::ok();
  return {ErrorCode::invalid_argument, "agreement and confidence are shares above 0 and below 1",
          "ask for example for 0.999 with 0.95"};
}

Status too_few(std::int64_t items, const CalibrationTarget& target, int stages) {
  return {ErrorCode::invalid_argument,
          std::to_string(items) +
              " items are too few: even if all agree they show no agreement of " +
              std::to_string(100 * target.agreement) + " % with a confidence of " +
              std::to_string(100 * target.confidence) + " %",
          "give " + std::to_string(least_calibration_items(target, stages)) +
              " items at least, or ask for less"};
}

// How many items the cascade answers at each stage, and the share of them that agrees.
void follow_items(const std::vector<StageItems>& known, CascadeCalibration& result) {
  std::int64_t agree = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(result.items); ++i) {
    std::size_t s = 0;
    while (s < known.size() && !(known[s].margins[i] > result.stages[s].threshold)) ++s;
    if (s < known.size()) ++result.stages[s].answered;
    if (s == known.size() || known[s].agrees[i]) ++agree;
  }
  result.agreement = static_cast<double>(agree) / static_cast<double>(result.items);
}

}  // namespace

std::int64_t least_calibration_items(const CalibrationTarget& target, int stages) {
  const Part part(target, stages - 1);
  // (1 - share)^n <= 1 - confidence, and then what rounding left.
  auto n =
      static_cast<std::int64_t>(std::floor(std::log1p(-part.confidence) / std::log1p(-part.share)));
  n = std::max<std::int64_t>(n, 1);
  while (clopper_pearson_upper(0, n, part.confidence) > part.share) ++n;
  return n;
}

Result<CascadeCalibration> Cascade::calibrate(std::span<const NamedTensor> inputs,
                                              const CalibrationTarget& target) {
  PBATCH_RETURN_IF_ERROR(check_target(target));
  const std::map<std::string, int>& axes = options_.batch_axes;
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t items, count_items(inputs, axes));
  const auto count = static_cast<int>(stages_.size());
  const Part part(target, count - 1);
  const std::int64_t most =
      items == 0 ? -1 : most_disagreements(items, part.share, part.confidence);
  if (most < 0) return too_few(items, target, count);

  const StageRunner runner{*session_, axes, fixed_batch_, 0};
  const std::int64_t each = fixed_batch_ > 0     ? fixed_batch_
                            : options_.batch > 0 ? options_.batch
                                                 : kCalibrationBatch;
  const std::string& name = session_->outputs()[output_].name;
  std::vector<StageItems> known(stages_.size() - 1);
  for (std::int64_t at = 0; at < items; at += each) {
    std::vector<std::int64_t> which(static_cast<std::size_t>(std::min(each, items - at)));
    std::iota(which.begin(), which.end(), at);
    const auto some = static_cast<std::int64_t>(which.size());
    const bool are_all = some == items;
    PBATCH_ASSIGN_OR_RETURN(const std::vector<Tensor> widest,
                            runner.run(inputs, which, are_all, stages_.back().precision));
    const MarginPlace place{output_, batch_axis(axes, name, widest[output_])};
    for (std::size_t s = 0; s < known.size(); ++s) {
      PBATCH_ASSIGN_OR_RETURN(const std::vector<Tensor> outputs,
                              runner.run(inputs, which, are_all, stages_[s].precision));
      PBATCH_RETURN_IF_ERROR(
          check_same_items(name, outputs[output_], std::max(place.axis, 0), widest[output_]));
      PBATCH_ASSIGN_OR_RETURN(const std::vector<double> margins,
                              margins_of(options_.margin, place, outputs, some));
      const std::vector<bool> same =
          same_answers(options_.margin, place, outputs[output_], widest[output_], some);
      known[s].margins.insert(known[s].margins.end(), margins.begin(), margins.end());
      known[s].agrees.insert(known[s].agrees.end(), same.begin(), same.end());
    }
  }
  CascadeCalibration result;
  result.items = items;
  result.agreement_bound = 1;
  for (std::size_t s = 0; s < known.size(); ++s) {
    StageCalibration stage = find_threshold(known[s].margins, known[s].agrees, most);
    stage.disagree_bound = clopper_pearson_upper(stage.disagree, items, part.confidence);
    result.agreement_bound -= stage.disagree_bound;
    stages_[s].threshold = stage.threshold;
    result.stages.push_back(stage);
  }
  follow_items(known, result);
  return result;
}

}  // namespace pbatch
