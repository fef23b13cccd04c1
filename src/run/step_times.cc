#include "run/step_times.h"

#include <algorithm>

namespace pbatch {
namespace {

double median(const std::vector<StepTiming>& runs, double StepTiming::*part) {
  std::vector<double> values;
  for (const StepTiming& run : runs) values.push_back(run.*part);
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

void StepTimes::add(const StepTimings& run) {
  std::map<Key, StepTiming> sums;
  for (const StepTiming& timing : run) {
    const Key key{timing.node, timing.info.op_type};
    StepTiming& sum = sums[key];
    sum.us += timing.us;
    sum.quantize_us += timing.quantize_us;
    sum.product_us += timing.product_us;
    sum.epilogue_us += timing.epilogue_us;
    sum.macs += static_cast<double>(timing.info.macs);
    const auto [place, is_new] = places_.emplace(key, nodes_.size());
    if (is_new) nodes_.push_back({timing.node, timing.info, {}});
  }
  for (const auto& [key, sum] : sums) nodes_[places_[key]].runs.push_back(sum);
}

std::vector<StepTime> StepTimes::medians() const {
  std::vector<StepTime> times;
  for (const NodeTimes& node : nodes_) {
    StepTime time;
    time.node = node.node != nullptr ? node.node->name : "all nodes";
    time.op_type = node.node != nullptr ? node.info.op_type : "recorded run";
    time.kernel = node.info.kernel;
    time.predicted_us = node.info.predicted_us;
    time.weight_bytes = node.info.weight_bytes;
    time.macs = median(node.runs, &StepTiming::macs);
    time.us = median(node.runs, &StepTiming::us);
    time.quantize_us = median(node.runs, &StepTiming::quantize_us);
    time.product_us = median(node.runs, &StepTiming::product_us);
    time.epilogue_us = median(node.runs, &StepTiming::epilogue_us);
    times.push_back(std::move(time));
  }
  return times;
}

}  // namespace pbatch
