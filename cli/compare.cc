#include "tools/eval/compare.h"

#include "cli/command.h"
#include "cli/measure.h"
#include "cli/progress_bar.h"

namespace pbatch::cli {
namespace {

struct CompareCommand {
  NetworkFlags network;
  InputFlags inputs;
  TimingOptions timing;
  OutputOptions output;

  Status run() const;
};

Status CompareCommand::run() const {
  PBATCH_RETURN_IF_ERROR(check_output_files(output, {}, {network.file}));
  PBATCH_ASSIGN_OR_RETURN(const auto nets, open_networks(network));
  PBATCH_RETURN_IF_ERROR(check_output_files(output, {}, nets->files()));
  PBATCH_RETURN_IF_ERROR(check_output_files(output, {}, inputs.sources(*nets->quantized)));
  PBATCH_ASSIGN_OR_RETURN(const RunConditions conditions,
                          conditions_here(nets->quantized->threads()));
  std::string note;
  auto tensors = inputs.load(nets->contenders[0], *nets->quantized, &note);
  if (!tensors) return tensors.status().in_file(network.file);
  Result<std::vector<CompareRow>> rows = [&] {
    ProgressBar bar;
    return pbatch::compare(nets->contenders, *tensors, timing, bar);
  }();
  if (!rows) return rows.status().in_file(network.file);

  nlohmann::json json = json_head(conditions);
  add_device(*nets->quantized, json);
  json["file"] = network.file;
  json["float_source"] = nets->float_source;
  json["inputs"] = note.substr(0, note.size() - 1);
  json["results"] = nlohmann::json::array();
  for (std::size_t i = 0; i < rows->size(); ++i) {
    json["results"].push_back(compare_row_json(nets->contenders[i], (*rows)[i]));
  }
  return deliver(output,
                 compare_table(*nets, *rows) + note + float_side_line(*nets) +
                     device_line(network.device, *nets->quantized) + conditions_line(conditions),
                 json);
}

}  // namespace

void add_compare(CLI::App& app, Work& work) {
  auto command = std::make_shared<CompareCommand>();
  CLI::App* sub = app.add_subcommand("compare", "Error of each precision against float");
  command->network.add_to(*sub);
  command->inputs.add_to(*sub);
  add_seconds_option(*sub, command->timing);
  command->network.threads.add_to(*sub);
  command->network.device.add_to(*sub);
  add_json_option(*sub, command->output);
  sub->callback([command, &work] {
    command->network.parse();
    command->inputs.parse();
    work = [command] { return command->run(); };
  });
}

}  // namespace pbatch::cli
