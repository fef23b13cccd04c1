#include "tools/eval/measure_cascade.h"

#include <algorithm>
#include <chrono>
#include <numeric>
#include <optional>
#include <utility>

#include "api/stage_runner.h"
#include "cascade/batch.h"
#include "cascade/margin.h"
#include "feed/step_ports.h"

namespace pbatch {
namespace {

constexpr std::int64_t kScoredTogether = 64;
constexpr std::int64_t kBlock = 32;  // items timed between two changes

double seconds_from(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

class CascadeMeasurement {
 public:
  CascadeMeasurement(const Session& session, const CascadeRequest& request, const Dataset& dataset,
                     const EvalOptions& options, Progress& progress)
      : session_(session),
        request_(request),
        dataset_(dataset),
        options_(options),
        progress_(progress) {}

  Result<CascadeMeasure> run();

 private:
  Status open();
  Status calibrate();
  Status score();
  Status time_items();
  Status time_block(std::int64_t first, std::int64_t count, bool with_cascade);
  Result<std::vector<Tensor>> last_stage(std::span<const NamedTensor> inputs,
                                         std::int64_t items) const;
  Result<Score> new_score(const Tensor& output, std::int64_t items) const;

  const Session& session_;
  const CascadeRequest& request_;
  const Dataset& dataset_;
  const EvalOptions& options_;
  Progress& progress_;
  std::optional<Feed> feed_, calibration_feed_;
  std::optional<Cascade> cascade_;
  std::map<std::string, int> axes_;
  std::size_t output_ = 0;
  std::int64_t fixed_ = 0;
  double cascade_seconds_ = 0, last_seconds_ = 0;
  CascadeMeasure result_;
};

Status CascadeMeasurement::open() {
  PBATCH_ASSIGN_OR_RETURN(feed_, Feed::create(session_.inputs(), dataset_.data));
  PBATCH_ASSIGN_OR_RETURN(calibration_feed_, Feed::create(session_.inputs(), request_.calibration));
  if (!feed_->batch_axes() || !calibration_feed_->batch_axes()) {
    return {ErrorCode::unsupported, "the network takes one item without a dimension for more",
            "export it with a batch dimension"};
  }
  axes_ = *feed_->batch_axes();
  CascadeOptions options;
  options.margin = request_.margin;
  options.margin.output = options_.output;
  if (!options_.output.empty()) {
    PBATCH_ASSIGN_OR_RETURN(output_,
                            find_named_port(session_.outputs(), options_.output, "output"));
  }
  options.batch_axes = axes_;
  PBATCH_ASSIGN_OR_RETURN(fixed_, fixed_batch(session_.inputs(), axes_));
  PBATCH_ASSIGN_OR_RETURN(cascade_, Cascade::create(session_, request_.stages, std::move(options)));
  return Status::ok();
}

Status CascadeMeasurement::calibrate() {
  const std::int64_t held = calibration_feed_->items();
  const std::int64_t items =
      request_.calibration_items > 0 ? std::min(request_.calibration_items, held) : held;
  progress_.begin("calibration", 1);
  PBATCH_ASSIGN_OR_RETURN(const auto inputs, calibration_feed_->inputs(0, items, items));
  PBATCH_ASSIGN_OR_RETURN(result_.calibration, cascade_->calibrate(inputs, request_.target));
  progress_.step();
  calibration_feed_.reset();
  result_.stages = cascade_->stages();
  return Status::ok();
}

Result<std::vector<Tensor>> CascadeMeasurement::last_stage(std::span<const NamedTensor> inputs,
                                                           std::int64_t items) const {
  std::vector<std::int64_t> all(static_cast<std::size_t>(items));
  std::iota(all.begin(), all.end(), 0);
  const StageRunner runner{session_, axes_, fixed_, 0};
  return runner.run(inputs, all, true, request_.stages.back().precision);
}

Result<Score> CascadeMeasurement::new_score(const Tensor& output, std::int64_t items) const {
  const std::int64_t each = output.size() / items;
  const std::int64_t classes = output.rank() == 0 ? 1 : output.dim(output.rank() - 1);
  return Score::create(dataset_.labels, output.dtype(), each,
                       classes > 0 && each % classes == 0 ? classes : 1);
}

Status CascadeMeasurement::score() {
  const std::int64_t held = feed_->items();
  result_.items = options_.limit > 0 ? std::min(options_.limit, held) : held;
  std::optional<Score> own, last;
  std::int64_t agree = 0;
  progress_.begin("cascade", result_.items);
  for (std::int64_t at = 0; at < result_.items; at += kScoredTogether) {
    const std::int64_t count = std::min(kScoredTogether, result_.items - at);
    PBATCH_ASSIGN_OR_RETURN(const auto inputs, feed_->inputs(at, count, count));
    PBATCH_ASSIGN_OR_RETURN(const CascadeRun run, cascade_->run(inputs));
    PBATCH_ASSIGN_OR_RETURN(const std::vector<Tensor> widest, last_stage(inputs, count));
    const Tensor &y = run.outputs[output_], &z = widest[output_];
    if (!own) {
      PBATCH_ASSIGN_OR_RETURN(own, new_score(y, count));
      last = own;
    }
    PBATCH_RETURN_IF_ERROR(own->add(y, at, count));
    PBATCH_RETURN_IF_ERROR(last->add(z, at, count));
    const auto same = same_answers(request_.margin, {output_, 0}, y, z, count);
    agree += std::count(same.begin(), same.end(), true);
    progress_.step(count);
  }
  result_.metric = own->metric();
  result_.value = own->value();
  result_.last_stage_value = last->value();
  result_.agreement = static_cast<double>(agree) / static_cast<double>(result_.items);
  return Status::ok();
}

Status CascadeMeasurement::time_block(std::int64_t first, std::int64_t count, bool with_cascade) {
  std::vector<std::vector<NamedTensor>> items;
  for (std::int64_t i = first; i < first + count; ++i) {
    PBATCH_ASSIGN_OR_RETURN(auto one, feed_->inputs(i, 1, 1));
    items.push_back(std::move(one));
  }
  for (const auto& one : items) {
    const auto start = std::chrono::steady_clock::now();
    if (!with_cascade) {
      PBATCH_RETURN_IF_ERROR(last_stage(one, 1).status());
      last_seconds_ += seconds_from(start);
      continue;
    }
    PBATCH_ASSIGN_OR_RETURN(const CascadeRun run, cascade_->run(one));
    cascade_seconds_ += seconds_from(start);
    for (std::size_t s = 0; s < run.stages.size(); ++s) {
      result_.timed[s].items += run.stages[s].items;
      result_.timed[s].answered += run.stages[s].answered;
      result_.timed[s].seconds += run.stages[s].seconds;
    }
  }
  return Status::ok();
}

Status CascadeMeasurement::time_items() {
  result_.timed.resize(request_.stages.size());
  // What the first run of a stage prepares is not counted.
  PBATCH_ASSIGN_OR_RETURN(const auto one, feed_->inputs(0, 1, 1));
  for (const CascadeStage& stage : request_.stages) {
    std::int64_t first = 0;
    const StageRunner runner{session_, axes_, fixed_, 0};
    PBATCH_RETURN_IF_ERROR(runner.run(one, std::span(&first, 1), true, stage.precision).status());
  }
  progress_.begin("timing", result_.items);
  bool cascade_first = true;
  for (std::int64_t at = 0; at < result_.items; at += kBlock, cascade_first = !cascade_first) {
    if (at > 0 && cascade_seconds_ + last_seconds_ > 2 * options_.timing.seconds) break;
    const std::int64_t count = std::min(kBlock, result_.items - at);
    PBATCH_RETURN_IF_ERROR(time_block(at, count, cascade_first));
    PBATCH_RETURN_IF_ERROR(time_block(at, count, !cascade_first));
    result_.timed_items += count;
    progress_.step(count);
  }
  result_.mean_us = 1e6 * cascade_seconds_ / static_cast<double>(result_.timed_items);
  result_.last_stage_mean_us = 1e6 * last_seconds_ / static_cast<double>(result_.timed_items);
  return Status::ok();
}

Result<CascadeMeasure> CascadeMeasurement::run() {
  PBATCH_RETURN_IF_ERROR(open());
  PBATCH_RETURN_IF_ERROR(calibrate());
  PBATCH_RETURN_IF_ERROR(score());
  PBATCH_RETURN_IF_ERROR(time_items());
  return std::move(result_);
}

}  // namespace

Result<CascadeMeasure> measure_cascade(const Session& session, const CascadeRequest& request,
                                       const Dataset& dataset, const EvalOptions& options,
                                       Progress& progress) {
  return CascadeMeasurement(session, request, dataset, options, progress).run();
}

}  // namespace pbatch
