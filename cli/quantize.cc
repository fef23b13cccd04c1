#include "pbatch/quantize.h"

#include <fmt/format.h>

#include "cli/command.h"
#include "cli/networks.h"
#include "cli/progress_bar.h"
#include "report/table.h"
#include "report/text.h"

namespace pbatch::cli {
namespace {

struct QuantizeCommand {
  std::string input, output_path;
  ThreadFlags threads;
  QuantizeFlags flags;
  OutputOptions output;

  Status run() const;
};

nlohmann::json to_json(const QuantizeReport& report) {
  nlohmann::json layers = nlohmann::json::array();
  for (const LayerReport& l : report.layers) {
    layers.push_back({{"name", l.name},
                      {"op_type", l.op_type},
                      {"rows", l.rows},
                      {"cols", l.cols},
                      {"quantized", l.quantized},
                      {"reason", l.reason},
                      {"warning", l.warning},
                      {"same_as", l.same_as},
                      {"planes", l.planes},
                      {"sqnr_db", l.sqnr_db},
                      {"compensated", l.compensated},
                      {"output_gain_db", l.output_gain_db},
                      {"min_weight_bits", l.min_weight_bits},
                      {"plane_bytes", l.plane_bytes},
                      {"scale_bytes", l.scale_bytes},
                      {"float_bytes", l.float_bytes}});
  }
  return {{"model", report.model_path},        {"data", report.data_path},
          {"model_bytes", report.model_bytes}, {"data_bytes", report.data_bytes},
          {"float_bytes", report.float_bytes}, {"layers", layers},
          {"statistics", report.statistics},   {"plain_reason", report.plain_reason}};
}

// Which layers have compensated codes, and what that brought.
std::string codes_text(const QuantizeReport& report) {
  if (report.statistics.empty()) {
    return report.plain_reason.empty() ? std::string()
                                       : "plain codes: " + printable(report.plain_reason) + "\n";
  }
  std::string text, plain;
  for (const LayerReport& l : report.layers) {
    if (!l.quantized || !l.same_as.empty()) continue;
    if (!l.compensated) {
      plain += (plain.empty() ? "" : ", ") + printable(l.name);
      continue;
    }
    text += fmt::format("  {}:", printable(l.name));
    for (const double db : l.output_gain_db) text += fmt::format(" {:+.1f}", db);
    text += "\n";
  }
  if (text.empty()) return "plain codes: compensated ones were better for no layer\n";
  return "compensated codes, fitted to " + report.statistics +
         "; dB of the outputs gained at each width:\n" + text +
         (plain.empty() ? "" : "plain codes: " + plain + "\n");
}

std::string to_text(const QuantizeReport& report) {
  std::size_t widths = 0;
  for (const LayerReport& l : report.layers) widths = std::max(widths, l.sqnr_db.size());
  std::vector<std::string> header{"layer", "operator", "rows", "cols", "bytes/plane"};
  for (std::size_t w = 1; w <= widths; ++w) header.push_back(fmt::format("{} bit dB", w));
  Table table(header);
  std::string kept, warnings;
  for (const LayerReport& l : report.layers) {
    if (!l.quantized) {
      kept += fmt::format("stays float: {} ({}, {} x {}): {}\n", printable(l.name),
                          printable(l.op_type), l.rows, l.cols, printable(l.reason));
      continue;
    }
    if (!l.warning.empty()) {
      warnings += fmt::format("warning: {}: {}\n", printable(l.name), l.warning);
    }
    std::vector<std::string> row{
        l.name, l.op_type, std::to_string(l.rows), std::to_string(l.cols),
        l.same_as.empty() ? human_bytes(double(l.plane_bytes)) : "as " + l.same_as};
    for (const double db : l.sqnr_db) row.push_back(fmt::format("{:.1f}", db));
    table.add(row);
  }
  std::string floors;
  for (const LayerReport& l : report.layers) {
    if (l.min_weight_bits <= 1) continue;
    floors +=
        (floors.empty() ? "" : ", ") + fmt::format("{} {}", printable(l.name), l.min_weight_bits);
  }
  if (!floors.empty()) floors = "bits that runs read at least: " + floors + "\n";
  return table.to_string() + kept + warnings + floors + codes_text(report) +
         fmt::format("{} ({}) and {} ({}); the matrices took {} as floats\n",
                     printable(report.model_path), human_bytes(double(report.model_bytes)),
                     printable(report.data_path), human_bytes(double(report.data_bytes)),
                     human_bytes(double(report.float_bytes)));
}

Status QuantizeCommand::run() const {
  PBATCH_RETURN_IF_ERROR(check_output_files(output, {output_path}, {input}));
  QuantizeOptions options = flags.options;
  PBATCH_ASSIGN_OR_RETURN(options.threads, threads.settle());
  QuantizeFlags own = flags;
  PBATCH_RETURN_IF_ERROR(own.load_samples(input));
  options.samples = std::move(own.options.samples);
  ProgressBar bar;
  std::string shown;
  options.progress = [&](const std::string& what, std::int64_t done, std::int64_t total) {
    if (what != shown) bar.begin(shown = what, total);
    bar.advance_to(done);
  };
  PBATCH_ASSIGN_OR_RETURN(const RunConditions conditions, conditions_here(options.threads));
  PBATCH_ASSIGN_OR_RETURN(const QuantizeReport report, quantize_file(input, output_path, options));
  std::vector<std::string> kept = report.source_files;
  kept.insert(kept.end(), {report.model_path, report.data_path});
  PBATCH_RETURN_IF_ERROR(check_output_files(output, {}, kept));
  nlohmann::json json = json_head(conditions);
  json.update(to_json(report));
  return deliver(output, to_text(report), json);
}

}  // namespace

void add_quantize(CLI::App& app, Work& work) {
  auto command = std::make_shared<QuantizeCommand>();
  CLI::App* sub = app.add_subcommand("quantize", "Turn a float ONNX network into bit-layers");
  sub->add_option("file", command->input, "The float ONNX network")->required();
  sub->add_option("-o,--output", command->output_path,
                  "The model to write, ending in .onnx; its data goes beside it as .safetensors")
      ->required()
      ->type_name("FILE");
  command->flags.add_to(*sub);
  command->threads.add_to(*sub);
  add_json_option(*sub, command->output);
  sub->callback([command, &work] {
    command->threads.parse();
    work = [command] { return command->run(); };
  });
}

}  // namespace pbatch::cli
