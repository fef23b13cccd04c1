#include "cli/command.h"
#include "cli/measure.h"
#include "cli/progress_bar.h"

namespace pbatch::cli {
namespace {

struct EvalCommand {
  NetworkFlags network;
  DataFlags data;
  OutputOptions output;

  Status run() const;
};

Status EvalCommand::run() const {
  PBATCH_RETURN_IF_ERROR(check_output_files(output));
  PBATCH_ASSIGN_OR_RETURN(const Dataset dataset, data.load());
  PBATCH_ASSIGN_OR_RETURN(const auto nets, open_networks(network));
  PBATCH_ASSIGN_OR_RETURN(const RunConditions conditions,
                          conditions_here(nets->quantized->threads()));
  Result<Evaluation> evaluation = [&] {
    ProgressBar bar;
    return evaluate(nets->contenders, dataset, data.options, bar);
  }();
  if (!evaluation) return evaluation.status().in_file(network.file);

  nlohmann::json json = json_head(conditions);
  json["file"] = network.file;
  json["float_source"] = nets->float_source;
  json["data"] = data.data;
  json["labels"] = data.labels;
  json["items"] = evaluation->items;
  json["batch"] = evaluation->batch;
  json["results"] = nlohmann::json::array();
  for (std::size_t i = 0; i < nets->contenders.size(); ++i) {
    json["results"].push_back(eval_row_json(nets->contenders[i], *evaluation, i));
  }
  return deliver(
      output, eval_table(*nets, *evaluation) + float_side_line(*nets) + conditions_line(conditions),
      json);
}

}  // namespace

void add_eval(CLI::App& app, Work& work) {
  auto command = std::make_shared<EvalCommand>();
  CLI::App* sub = app.add_subcommand("eval", "Accuracy, latency and size at each precision");
  command->network.add_to(*sub);
  command->data.add_to(*sub, /*required=*/true);
  add_seconds_option(*sub, command->data.options.timing);
  command->network.threads.add_to(*sub);
  add_json_option(*sub, command->output);
  sub->callback([command, &work] {
    command->network.parse();
    work = [command] { return command->run(); };
  });
}

}  // namespace pbatch::cli
