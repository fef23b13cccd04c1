// eval --task control: the return of a policy in a small environment.
#include <fmt/format.h>

#include "cli/eval_task.h"
#include "tools/eval/tasks/control.h"
#include "tools/render/table.h"
#include "tools/render/text.h"

namespace pbatch::cli {
namespace {

class ControlTask final : public EvalTask {
 public:
  explicit ControlTask(const EvalFlags& flags) : flags_(flags) {}

  Result<TaskReport> measure(const Networks& nets, Progress& progress) override {
    const ControlFlags& f = flags_.control;
    PBATCH_ASSIGN_OR_RETURN(
        const Control control,
        evaluate_control(nets.contenders, f.environment,
                         {f.episodes, f.seed, flags_.ports.options, flags_.data.options.timing},
                         progress));
    nlohmann::json results = nlohmann::json::array();
    Table table({"weights", "activations", "return", "deviation", "least", "greatest", "steps",
                 "latency", "speed-up", "weight bytes"});
    for (std::size_t i = 0; i < nets.contenders.size(); ++i) {
      const ControlRow& row = control.rows[i];
      results.push_back(row_json(nets.contenders[i], "mean_return", row.mean, row.cost));
      results.back().update({{"deviation", row.deviation},
                             {"least", row.least},
                             {"greatest", row.greatest},
                             {"mean_steps", row.mean_steps}});
      table.add(table_row(nets.contenders[i],
                          {fmt::format("{:.2f}", row.mean), fmt::format("{:.2f}", row.deviation),
                           fmt::format("{:.2f}", row.least), fmt::format("{:.2f}", row.greatest),
                           fmt::format("{:.1f}", row.mean_steps)},
                          row.cost));
    }
    const std::string text =
        table.to_string() +
        fmt::format("{} episodes of {} from seed {}; latency of one decision; states: {}\n",
                    control.episodes, f.environment, f.seed, printable(control.states));
    return TaskReport{text,
                      {{"environment", f.environment},
                       {"episodes", control.episodes},
                       {"seed", f.seed},
                       {"states", control.states},
                       {"results", results}}};
  }

 private:
  const EvalFlags& flags_;
};

}  // namespace

std::unique_ptr<EvalTask> make_control_task(const EvalFlags& flags) {
  return std::make_unique<ControlTask>(flags);
}

}  // namespace pbatch::cli
