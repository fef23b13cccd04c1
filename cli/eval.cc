#include "cli/command.h"
#include "cli/eval_task.h"
#include "cli/progress_bar.h"

namespace pbatch::cli {
namespace {

struct EvalCommand {
  EvalFlags flags;
  OutputOptions output;

  Status run() const;
};

Status EvalCommand::run() const {
  PBATCH_RETURN_IF_ERROR(check_output_files(output, {}, flags.sources()));
  const std::unique_ptr<EvalTask> task = make_task(flags);
  PBATCH_RETURN_IF_ERROR(task->load());
  PBATCH_ASSIGN_OR_RETURN(const auto nets, open_networks(flags.network, task->layer_names()));
  PBATCH_RETURN_IF_ERROR(check_output_files(output, {}, nets->files()));
  PBATCH_ASSIGN_OR_RETURN(const RunConditions conditions,
                          conditions_here(nets->quantized->threads()));
  Result<TaskReport> report = [&] {
    ProgressBar bar;
    return task->measure(*nets, bar);
  }();
  if (!report) return report.status().in_file(flags.network.file);

  nlohmann::json json = json_head(conditions);
  add_device(*nets->quantized, json);
  json["task"] = flags.task;
  json["file"] = flags.network.file;
  json["float_source"] = nets->float_source;
  json.update(report->json);
  return deliver(output,
                 report->text + float_side_line(*nets) +
                     device_line(flags.network.device, *nets->quantized) +
                     conditions_line(conditions),
                 json);
}

}  // namespace

void add_eval(CLI::App& app, Work& work) {
  auto command = std::make_shared<EvalCommand>();
  CLI::App* sub = app.add_subcommand("eval", "Accuracy, latency and size at each precision");
  command->flags.add_to(*sub);
  add_json_option(*sub, command->output);
  sub->callback([command, &work] {
    command->flags.parse();
    work = [command] { return command->run(); };
  });
}

}  // namespace pbatch::cli
