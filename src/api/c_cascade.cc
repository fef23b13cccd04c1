// Cascades from C.
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "api/c_guard.h"
#include "api/c_precision.h"
#include "api/c_session.h"
#include "api/c_tensor.h"
#include "pbatch/cascade.h"
#include "pbatch/pbatch.h"

struct pbatch_cascade {
  const pbatch::Session* session;
  pbatch::Cascade cascade;
};

namespace pbatch {
namespace {

Result<CascadeOptions> cascade_options(const pbatch_margin* margin,
                                       std::span<const pbatch_batch_axis> axes) {
  CascadeOptions options;
  if (margin != nullptr) {
    const int kind = number_in(margin->kind);
    if (kind < PBATCH_MARGIN_TOP_TWO || kind > PBATCH_MARGIN_ENTROPY_OF_PROBABILITIES) {
      return Status(ErrorCode::invalid_argument, "there is no such kind of margin",
                    "use a value of pbatch_margin_kind");
    }
    options.margin.kind = static_cast<MarginKind>(kind);
    options.margin.center = margin->center;
    if (margin->output != nullptr) options.margin.output = margin->output;
  }
  for (const pbatch_batch_axis& axis : axes) {
    if (axis.name == nullptr) return null_argument("the name of an axis");
    options.batch_axes[axis.name] = axis.axis;
  }
  return options;
}

Status create_cascade(const Session& session, std::span<const pbatch_cascade_stage> given,
                      const pbatch_margin* margin, std::span<const pbatch_batch_axis> axes,
                      pbatch_cascade** made) {
  PBATCH_ASSIGN_OR_RETURN(CascadeOptions options, cascade_options(margin, axes));
  std::vector<CascadeStage> stages;
  for (const pbatch_cascade_stage& stage : given) {
    PBATCH_ASSIGN_OR_RETURN(Precision precision, read_precision(stage.precision));
    stages.push_back({std::move(precision), stage.threshold});
  }
  PBATCH_ASSIGN_OR_RETURN(Cascade cascade,
                          Cascade::create(session, std::move(stages), std::move(options)));
  *made = new pbatch_cascade{&session, std::move(cascade)};
  return Status::ok();
}

Status run_cascade(const pbatch_cascade& cascade, std::span<const pbatch_tensor> given,
                   pbatch_outputs** outputs, pbatch_stage_report* reports) {
  PBATCH_ASSIGN_OR_RETURN(const std::vector<NamedTensor> inputs, tensors_of(given));
  PBATCH_ASSIGN_OR_RETURN(const CascadeRun run, cascade.cascade.run(inputs));
  PBATCH_ASSIGN_OR_RETURN(*outputs, outputs_of(*cascade.session, run.outputs, given));
  for (std::size_t s = 0; reports != nullptr && s < run.stages.size(); ++s) {
    reports[s] = {run.stages[s].items, run.stages[s].answered, run.stages[s].seconds};
  }
  return Status::ok();
}

static_assert(static_cast<int>(MarginKind::band) == PBATCH_MARGIN_BAND);
static_assert(static_cast<int>(MarginKind::entropy_of_probabilities) ==
              PBATCH_MARGIN_ENTROPY_OF_PROBABILITIES);

}  // namespace
}  // namespace pbatch

using pbatch::Status;

extern "C" {

pbatch_code pbatch_cascade_create(const pbatch_session* session, const pbatch_cascade_stage* stages,
                                  size_t count, const pbatch_margin* margin,
                                  const pbatch_batch_axis* axes, size_t axis_count,
                                  pbatch_cascade** cascade, pbatch_error* error) {
  return pbatch::guard_c(error, [&]() -> Status {
    if (cascade == nullptr) return pbatch::null_argument("cascade");
    *cascade = nullptr;
    if (session == nullptr) return pbatch::null_argument("session");
    if (count > 0 && stages == nullptr) return pbatch::null_argument("stages");
    if (axis_count > 0 && axes == nullptr) return pbatch::null_argument("axes");
    return pbatch::create_cascade(session->session, {stages, count}, margin, {axes, axis_count},
                                  cascade);
  });
}

pbatch_code pbatch_cascade_calibrate(pbatch_cascade* cascade, const pbatch_tensor* inputs,
                                     size_t count, double agreement, double confidence,
                                     pbatch_calibration* calibration, pbatch_error* error) {
  return pbatch::guard_c(error, [&]() -> Status {
    if (cascade == nullptr) return pbatch::null_argument("cascade");
    if (count > 0 && inputs == nullptr) return pbatch::null_argument("inputs");
    PBATCH_ASSIGN_OR_RETURN(const auto tensors, pbatch::tensors_of({inputs, count}));
    PBATCH_ASSIGN_OR_RETURN(const pbatch::CascadeCalibration made,
                            cascade->cascade.calibrate(tensors, {agreement, confidence}));
    if (calibration != nullptr) *calibration = {made.items, made.agreement, made.agreement_bound};
    return Status::ok();
  });
}

double pbatch_cascade_threshold(const pbatch_cascade* cascade, size_t stage) {
  if (cascade == nullptr || stage >= cascade->cascade.stages().size()) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  return cascade->cascade.stages()[stage].threshold;
}

pbatch_code pbatch_cascade_run(const pbatch_cascade* cascade, const pbatch_tensor* inputs,
                               size_t count, pbatch_outputs** outputs, pbatch_stage_report* reports,
                               pbatch_error* error) {
  return pbatch::guard_c(error, [&]() -> Status {
    if (outputs == nullptr) return pbatch::null_argument("outputs");
    *outputs = nullptr;
    if (cascade == nullptr) return pbatch::null_argument("cascade");
    if (count > 0 && inputs == nullptr) return pbatch::null_argument("inputs");
    return pbatch::run_cascade(*cascade, {inputs, count}, outputs, reports);
  });
}

void pbatch_cascade_free(pbatch_cascade* cascade) { delete cascade; }

}  // extern "C"
