#include "pbatch/cascade.h"

#include <chrono>
#include <numeric>

#include "api/stage_runner.h"
#include "cascade/batch.h"
#include "cascade/margin.h"
#include "feed/step_ports.h"

namespace pbatch {
namespace {

using Items = std::vector<std::int64_t>;

// The places where `margins` are above the threshold, and the other places.
struct Sorted {
  Items sure, unsure;

  Sorted(const std::vector<double>& margins, double threshold) {
    for (std::size_t i = 0; i < margins.size(); ++i) {
      (margins[i] > threshold ? sure : unsure).push_back(static_cast<std::int64_t>(i));
    }
  }
};

Items items_at(const Items& items, const Items& places) {
  Items picked;
  for (const std::int64_t p : places) picked.push_back(items[static_cast<std::size_t>(p)]);
  return picked;
}

// Puts the items at `places` of one stage's outputs where they stand in the whole batch.
Status merge_outputs(const Session& session, const std::map<std::string, int>& axes,
                     const std::vector<Tensor>& from, const Items& places, const Items& items,
                     std::vector<Tensor>& to) {
  for (std::size_t o = 0; o < from.size(); ++o) {
    const std::string& name = session.outputs()[o].name;
    const int axis = batch_axis(axes, name, from[o]);
    if (axis < 0) continue;
    PBATCH_RETURN_IF_ERROR(check_same_items(name, from[o], axis, to[o]));
    PBATCH_ASSIGN_OR_RETURN(const Tensor picked, gather_items(from[o], axis, places));
    scatter_items(picked, axis, items, to[o]);
  }
  return Status::ok();
}

// Outputs of a run may be memory of others, which nobody may write to.
Status own_outputs(const Session& session, const std::map<std::string, int>& axes, const Items& all,
                   std::vector<Tensor>& outputs) {
  for (std::size_t o = 0; o < outputs.size(); ++o) {
    const int axis = batch_axis(axes, session.outputs()[o].name, outputs[o]);
    if (axis < 0) continue;
    PBATCH_ASSIGN_OR_RETURN(outputs[o], gather_items(outputs[o], axis, all));
  }
  return Status::ok();
}

Status check_axes(const Session& session, const std::map<std::string, int>& axes) {
  for (const auto& [name, axis] : axes) {
    if (find_named_port(session.inputs(), name, "input")) continue;
    PBATCH_RETURN_IF_ERROR(find_named_port(session.outputs(), name, "input or output").status());
  }
  return Status::ok();
}

}  // namespace

Result<Cascade> Cascade::create(const Session& session, std::vector<CascadeStage> stages,
                                CascadeOptions options) {
  if (stages.size() < 2) {
    return Status(ErrorCode::invalid_argument,
                  "a cascade of " + std::to_string(stages.size()) + " stages",
                  "give two stages or more, narrow ones first");
  }
  for (std::size_t s = 1; s < stages.size(); ++s) {
    const int before = stages[s - 1].precision.all.weight_bits;
    const int bits = stages[s].precision.all.weight_bits;
    if (bits >= before) continue;
    return Status(ErrorCode::invalid_argument,
                  "a cascade goes from " + std::to_string(before) + " to " + std::to_string(bits) +
                      " weight bits",
                  "give stages in the order of their widths, narrow ones first");
  }
  PBATCH_RETURN_IF_ERROR(check_axes(session, options.batch_axes));
  Cascade cascade(session, std::move(stages), std::move(options));
  const CascadeOptions& own = cascade.options_;
  if (!own.margin.output.empty()) {
    PBATCH_ASSIGN_OR_RETURN(cascade.output_,
                            find_named_port(session.outputs(), own.margin.output, "output"));
  }
  PBATCH_ASSIGN_OR_RETURN(cascade.fixed_batch_, fixed_batch(session.inputs(), own.batch_axes));
  return cascade;
}

Result<CascadeRun> Cascade::run(std::span<const NamedTensor> inputs) const {
  const std::map<std::string, int>& axes = options_.batch_axes;
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t count, count_items(inputs, axes));
  const StageRunner runner{*session_, axes, fixed_batch_, options_.batch};
  CascadeRun result;
  result.stages.resize(stages_.size());
  result.stage_of_item.resize(static_cast<std::size_t>(count));
  Items pending(static_cast<std::size_t>(count));
  std::iota(pending.begin(), pending.end(), 0);
  for (std::size_t s = 0; s < stages_.size() && (s == 0 || !pending.empty()); ++s) {
    const auto start = std::chrono::steady_clock::now();
    const bool is_last = s + 1 == stages_.size();
    const auto came = static_cast<std::int64_t>(pending.size());
    PBATCH_ASSIGN_OR_RETURN(std::vector<Tensor> outputs,
                            runner.run(inputs, pending, s == 0, stages_[s].precision));
    std::vector<double> margins(pending.size(), 1);
    if (!is_last) {
      const std::string& name = session_->outputs()[output_].name;
      const MarginPlace place{output_, batch_axis(axes, name, outputs[output_])};
      PBATCH_ASSIGN_OR_RETURN(margins, margins_of(options_.margin, place, outputs, came));
    }
    const Sorted sorted(margins, is_last ? 0 : stages_[s].threshold);
    for (const std::int64_t p : sorted.sure) {
      result.stage_of_item[static_cast<std::size_t>(pending[static_cast<std::size_t>(p)])] =
          static_cast<int>(s);
    }
    if (s == 0) {
      if (!sorted.unsure.empty()) {
        PBATCH_RETURN_IF_ERROR(own_outputs(*session_, axes, pending, outputs));
      }
      result.outputs = std::move(outputs);
    } else {
      PBATCH_RETURN_IF_ERROR(merge_outputs(*session_, axes, outputs, sorted.sure,
                                           items_at(pending, sorted.sure), result.outputs));
    }
    pending = items_at(pending, sorted.unsure);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    result.stages[s] = {came, came - static_cast<std::int64_t>(pending.size()), took.count()};
  }
  return result;
}

}  // namespace pbatch
