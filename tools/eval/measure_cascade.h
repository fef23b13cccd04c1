// A cascade on labelled items: its answers and its time beside those of its last stage.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pbatch/cascade.h"
#include "tools/bench/progress.h"
#include "tools/eval/evaluate.h"

namespace pbatch {

struct CascadeRequest {
  std::vector<CascadeStage> stages;
  Margin margin;
  std::vector<InputData> calibration;  ///< of other items than those of the dataset
  std::int64_t calibration_items = 0;  ///< first ones only; 0: all
  CalibrationTarget target;
};

struct CascadeMeasure {
  CascadeCalibration calibration;
  std::vector<CascadeStage> stages;
  Metric metric = Metric::accuracy;
  std::int64_t items = 0;
  double value = 0, last_stage_value = 0;      ///< the metric
  double agreement = 0;                        ///< share of items with the last stage's answer
  std::int64_t timed_items = 0;                ///< one at a time
  std::vector<StageReport> timed;              ///< of those, stage by stage
  double mean_us = 0, last_stage_mean_us = 0;  ///< of one item
  double time_ratio() const { return mean_us / last_stage_mean_us; }
};

/// Calibrates, and measures on the items of `dataset`. Items are timed one at a time, blocks of
/// them with the cascade and with the last stage alone in turn, for about options.timing.seconds
/// each, and for at least one block. Errors of runs, of the data and of the calibration;
/// unsupported where the network has no dimension that counts items.
Result<CascadeMeasure> measure_cascade(const Session& session, const CascadeRequest& request,
                                       const Dataset& dataset, const EvalOptions& options,
                                       Progress& progress);

}  // namespace pbatch
