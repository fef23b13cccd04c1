#include "pbatch/quantize.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "cli/command.h"
#include "cli/networks.h"
#include "cli/progress_bar.h"
#include "tools/allocate/advise.h"
#include "tools/allocate/record_inputs.h"
#include "tools/render/table.h"
#include "tools/render/text.h"

namespace pbatch::cli {
namespace {

// Of matrices as floats, of which the advice holds two more copies.
constexpr std::int64_t kMostAdvisedBytes = std::int64_t{1} << 30;

struct QuantizeCommand {
  std::string input, output_path;
  ThreadFlags threads;
  QuantizeFlags flags;
  bool no_advice = false;
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
                      {"outliers", l.outliers},
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

// What is said of the layers that have some.
std::string floors_text(const QuantizeReport& report) {
  std::string floors;
  for (const LayerReport& l : report.layers) {
    if (l.min_weight_bits <= 1) continue;
    floors +=
        (floors.empty() ? "" : ", ") + fmt::format("{} {}", printable(l.name), l.min_weight_bits);
  }
  return floors.empty() ? floors : "bits that runs read at least: " + floors + "\n";
}

std::string outliers_text(const QuantizeReport& report) {
  std::string outliers;
  for (const LayerReport& l : report.layers) {
    if (l.outliers == 0 || !l.same_as.empty()) continue;
    outliers +=
        (outliers.empty() ? "" : ", ") + fmt::format("{} {}", printable(l.name), l.outliers);
  }
  return outliers.empty() ? outliers : "weights kept apart from the codes: " + outliers + "\n";
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
  return table.to_string() + kept + warnings + floors_text(report) + outliers_text(report) +
         codes_text(report) +
         fmt::format("{} ({}) and {} ({}); the matrices took {} as floats\n",
                     printable(report.model_path), human_bytes(double(report.model_bytes)),
                     printable(report.data_path), human_bytes(double(report.data_bytes)),
                     human_bytes(double(report.float_bytes)));
}

// What widths do to the outputs of the model that was written, and on which inputs.
struct Advice {
  WidthAdvice widths;
  std::string inputs;
};

Result<Advice> advise(const QuantizeReport& report, const std::string& float_file,
                      const QuantizeOptions& options, Progress& progress) {
  PBATCH_ASSIGN_OR_RETURN(const std::shared_ptr<ThreadPool> pool,
                          make_thread_pool({.threads = options.threads}));
  const SessionOptions shared{.pool = pool};
  PBATCH_ASSIGN_OR_RETURN(const Session session, Session::load(report.model_path, shared));
  PBATCH_ASSIGN_OR_RETURN(const Session of_floats, Session::load(float_file, shared));
  PBATCH_ASSIGN_OR_RETURN(const RecordedInputs fed,
                          record_inputs(report.model_path, options, *pool));
  Advice advice{{}, statistics_name(fed.statistics)};
  PBATCH_ASSIGN_OR_RETURN(
      advice.widths,
      advise_widths(session, {&of_floats, Precision::f32(), {}, {}}, fed.sets, progress));
  return advice;
}

nlohmann::json advice_json(const Advice& advice) {
  nlohmann::json targets = nlohmann::json::array(), layers = nlohmann::json::array();
  for (const auto& [error, bits] : advice.widths.targets) {
    targets.push_back({{"max_error", error}, {"weight_bits", bits}});
  }
  for (const auto& [name, share] : advice.widths.layers) {
    layers.push_back({{"name", name}, {"share", share}});
  }
  return {{"inputs", advice.inputs},
          {"rel_error", advice.widths.rel_error},
          {"targets", targets},
          {"layer_bits", advice.widths.layer_bits},
          {"layers", layers}};
}

std::string advice_text(const Advice& advice) {
  std::string text = "error of the outputs at each width, on " + advice.inputs + ":";
  for (const double error : advice.widths.rel_error) text += " " + short_number(100 * error) + " %";
  text += "\n";
  std::string within;
  for (const auto& [error, bits] : advice.widths.targets) {
    if (bits == 0) continue;
    within +=
        fmt::format("{}within {:.0f} %: {} bits", within.empty() ? "" : ", ", 100 * error, bits);
  }
  text += within.empty() ? "no width is within 10 % of float: give it more planes\n"
                         : "to run at: " + within + "\n";
  if (advice.widths.layers.empty()) return text;
  text += fmt::format("most of the error of {} bits:", advice.widths.layer_bits);
  for (const auto& [name, share] : advice.widths.layers) {
    text += fmt::format(" {} {:.0f} %,", printable(name), 100 * share);
  }
  return text + " so give these more bits than others (pbatch allocate)\n";
}

Status QuantizeCommand::run() const {
  PBATCH_RETURN_IF_ERROR(check_output_files(output, {output_path}, {input}));
  QuantizeOptions options = flags.options;
  PBATCH_ASSIGN_OR_RETURN(options.threads, threads.settle());
  QuantizeFlags own = flags;
  PBATCH_RETURN_IF_ERROR(own.load_samples(input));
  options.samples = std::move(own.options.samples);
  options.input_ranges = std::move(own.options.input_ranges);
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
  std::string text = to_text(report);
  const bool has_layers = std::any_of(report.layers.begin(), report.layers.end(),
                                      [](const LayerReport& layer) { return layer.quantized; });
  if (has_layers && !no_advice) {
    const Result<Advice> advice =
        report.float_bytes <= kMostAdvisedBytes
            ? advise(report, input, options, bar)
            : Status(ErrorCode::out_of_memory, "it is large; 'pbatch compare' tells its errors");
    if (advice) {
      json["advice"] = advice_json(*advice);
      text += advice_text(*advice);
    } else {  // the model is there; what it needs to run is for its user to give
      text += "no width is recommended: " + printable(advice.status().message()) + "\n";
    }
  }
  return deliver(output, text, json);
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
  sub->add_flag("--no-advice", command->no_advice,
                "Do not run the model to see what its widths do");
  command->threads.add_to(*sub);
  add_json_option(*sub, command->output);
  sub->callback([command, &work] {
    command->threads.parse();
    work = [command] { return command->run(); };
  });
}

}  // namespace pbatch::cli
