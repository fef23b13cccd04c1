#include "tools/allocate/allocate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "cli/command.h"
#include "cli/measure.h"
#include "cli/progress_bar.h"
#include "cli/quantities.h"
#include "tools/allocate/allocation_text.h"
#include "tools/allocate/load_runner.h"
#include "tools/allocate/orthogonality.h"
#include "tools/allocate/record_inputs.h"
#include "tools/render/table.h"
#include "tools/render/text.h"

namespace pbatch::cli {
namespace {

constexpr const char* kNoAllocation = "give one of --max-error, --max-latency and --max-bytes";

struct AllocateCommand {
  NetworkFlags network;
  InputFlags inputs;
  std::string max_error, max_latency, max_bytes, least = "time", proxy = "error";
  std::string allocation_file;
  TimingOptions timing{.seconds = 0.1, .min_rounds = 3};
  OutputOptions output;

  AllocationRequest request;  ///< after parse()
  std::string target;         ///< the limit as typed

  void add_to(CLI::App& command);
  void parse();
  Status run() const;

 private:
  Result<InputSets> error_inputs(const Networks& nets, const std::vector<NamedTensor>& timed,
                                 std::string* note) const;
};

void AllocateCommand::add_to(CLI::App& command) {
  network.abits_text = "8,16";
  network.quantize.samples_are_run = true;
  network.add_network_to(command);
  command.add_option("--max-error", max_error, "Limit on the relative error of the worst output")
      ->type_name("SHARE");
  command.add_option("--max-latency", max_latency, "Limit on the time of a run")->type_name("TIME");
  command.add_option("--max-bytes", max_bytes, "Limit on the weights that a run reads")
      ->type_name("SIZE");
  command.add_option("--least", least, "What --max-error leaves to be least")
      ->check(CLI::IsMember({"time", "bytes"}))
      ->capture_default_str();
  command.add_option("--proxy", proxy, "What tells how much a layer counts")
      ->check(CLI::IsMember({"error", "orthogonality"}))
      ->capture_default_str();
  command.add_option("-o,--output", allocation_file, "Write the allocation, for --allocation")
      ->type_name("FILE");
  inputs.add_to(command);
  add_seconds_option(command, timing);
  network.threads.add_to(command);
  add_json_option(command, output);
}

void AllocateCommand::parse() {
  network.parse();
  inputs.parse();
  if (int(max_error.empty()) + int(max_latency.empty()) + int(max_bytes.empty()) != 2) {
    throw CLI::ValidationError("allocate", kNoAllocation);
  }
  if (!max_error.empty()) {
    request.limit = Limit::error;
    request.most = parse_share(max_error, "--max-error");
    target = "max-error " + max_error + ", least " + least;
  } else if (!max_latency.empty()) {
    request.limit = Limit::latency;
    request.most = parse_microseconds(max_latency, "--max-latency");
    target = "max-latency " + max_latency;
  } else {
    request.limit = Limit::bytes;
    request.most = parse_bytes(max_bytes, "--max-bytes");
    target = "max-bytes " + max_bytes;
  }
  request.least = least == "bytes" ? Least::bytes : Least::time;
  request.timing = timing;
  request.widths.weight_bits = network.weight_bits;
  request.widths.activation_bits = network.activation_bits;
  request.widths.fixed = network.overrides.layers;
  request.widths.exact = network.overrides.exact;
  for (const int bits : network.weight_bits) {
    if (bits == 32)
      throw CLI::ValidationError("--bits", "float is no width to choose; leave 32 out");
  }
  if (network.overrides.arithmetic == Arithmetic::integers) {
    throw CLI::ValidationError("--arithmetic", "allocations are measured in floats");
  }
  refuse_8s(network.activation_bits, "allocations are measured in floats, which have no 8s");
  const bool picks_inputs = !inputs.files.empty() || inputs.seed;
  if (picks_inputs && !network.quantize.sample_files.empty()) {
    throw CLI::ValidationError("--samples", "--input and --random are for runs without --samples");
  }
}

Result<InputSets> AllocateCommand::error_inputs(const Networks& nets,
                                                const std::vector<NamedTensor>& timed,
                                                std::string* note) const {
  if (!inputs.files.empty() || inputs.seed) return InputSets{timed};
  QuantizeFlags flags = network.quantize;
  PBATCH_RETURN_IF_ERROR(flags.load_samples(network.file));
  Result<RecordedInputs> made = record_inputs(network.file, flags.options, *nets.options.pool);
  if (made && !made->sets.empty()) {
    *note = std::string("on ") + statistics_name(made->statistics);
    return std::move(made->sets);
  }
  if (!made && !flags.options.samples.empty()) return made.status();
  return InputSets{timed};  // nothing can be made up for it
}

nlohmann::json allocation_row_json(const AllocationRow& row) {
  nlohmann::json json{
      {"error", row.error}, {"predicted_us", row.predicted_us}, {"weight_bytes", row.weight_bytes}};
  if (row.predicted_error) json["predicted_error"] = *row.predicted_error;
  if (row.us) json["latency_us"] = *row.us;
  return json;
}

nlohmann::json uniform_json(const AllocationRow& row) {
  nlohmann::json json = allocation_row_json(row);
  json["weight_bits"] = row.uniform.weight_bits;
  json["activation_bits"] = row.uniform.activation_bits;
  return json;
}

const LayerChoice& chosen_of(const LayerItem& item, const Precision& precision) {
  const LayerPrecision& bits = precision.of(item.layers[0]);
  return *std::find_if(item.choices.begin(), item.choices.end(),
                       [&](const LayerChoice& choice) { return choice.bits == bits; });
}

nlohmann::json items_json(const BitAllocationResult& result) {
  nlohmann::json layers = nlohmann::json::array();
  for (const LayerItem& item : result.items) {
    const LayerChoice& chosen = chosen_of(item, result.chosen.precision);
    nlohmann::json choices = nlohmann::json::array();
    for (const LayerChoice& c : item.choices) {
      choices.push_back({{"weight_bits", c.bits.weight_bits},
                         {"activation_bits", c.bits.activation_bits},
                         {"rel_error", std::sqrt(c.squared_error)},
                         {"predicted_us", c.us},
                         {"bytes", c.bytes}});
    }
    for (const std::string& name : item.layers) {
      layers.push_back({{"name", name},
                        {"weight_bits", chosen.bits.weight_bits},
                        {"activation_bits", chosen.bits.activation_bits},
                        {"rel_error", std::sqrt(chosen.squared_error)},
                        {"choices", choices}});
    }
  }
  return layers;
}

std::string items_table(const BitAllocationResult& result, const std::string& errors) {
  Table table({"layer", "weights", "activations", errors, "predicted us", "bytes"});
  for (const LayerItem& item : result.items) {
    const LayerChoice& c = chosen_of(item, result.chosen.precision);
    for (const std::string& name : item.layers) {
      const bool first = &name == &item.layers[0];
      table.add({name, fmt::format("{}-bit", c.bits.weight_bits),
                 fmt::format("{}-bit", c.bits.activation_bits),
                 short_number(std::sqrt(c.squared_error)), first ? short_number(c.us) : "",
                 first ? human_bytes(double(c.bytes)) : "as " + item.layers[0]});
    }
  }
  return table.to_string();
}

std::string row_text(const AllocationRow& row) {
  std::string text = fmt::format("error {} %", short_number(100 * row.error));
  if (row.predicted_error) {
    text += fmt::format(" (predicted {} %)", short_number(100 * *row.predicted_error));
  }
  text += ", " + human_time(row.us.value_or(row.predicted_us));
  text += row.us ? " (predicted " + human_time(row.predicted_us) + ")" : " predicted";
  return text + ", " + human_bytes(double(row.weight_bytes));
}

std::string percent_less(double now, double before) {
  return fmt::format("{:+.0f} %", 100 * (now / before - 1));
}

std::string comparison_text(const BitAllocationResult& result) {
  if (!result.best_uniform) return "no width for all layers keeps the limit\n";
  const AllocationRow& row = result.uniform[*result.best_uniform];
  const std::string name = fmt::format("{}-bit weights and {}-bit activations in all layers",
                                       row.uniform.weight_bits, row.uniform.activation_bits);
  if (result.is_uniform) return "no mixture of widths is better than " + name + "\n";
  return fmt::format("{}: {}\nagainst that: predicted time {}, bytes {}, error {}\n", name,
                     row_text(row), percent_less(result.chosen.predicted_us, row.predicted_us),
                     percent_less(double(result.chosen.weight_bytes), double(row.weight_bytes)),
                     percent_less(result.chosen.error, row.error));
}

Status AllocateCommand::run() const {
  std::vector<std::string> paths;
  if (!allocation_file.empty()) paths.push_back(allocation_file);
  PBATCH_RETURN_IF_ERROR(check_output_files(output, paths, {network.file}));
  PBATCH_ASSIGN_OR_RETURN(const auto nets, open_networks(network));
  const Session& session = *nets->quantized;
  PBATCH_RETURN_IF_ERROR(check_output_files(output, paths, nets->files()));
  PBATCH_RETURN_IF_ERROR(check_output_files(output, paths, inputs.sources(session)));
  PBATCH_ASSIGN_OR_RETURN(const RunConditions conditions, conditions_here(session.threads()));
  std::string note, error_note;
  const Result<std::vector<NamedTensor>> timed =
      inputs.load(nets->contenders[0], *nets->quantized, &note);
  if (!timed) return timed.status().in_file(network.file);
  const Result<InputSets> sets = error_inputs(*nets, *timed, &error_note);
  if (!sets) return sets.status().in_file(network.file);

  AllocationRequest wanted = request;
  if (wanted.widths.weight_bits.empty()) {
    for (int n = 1; n <= session.max_weight_bits(); ++n) wanted.widths.weight_bits.push_back(n);
  }
  if (proxy == "orthogonality") {
    auto runner = load_runner(network.file, network.quantize.options, *nets->options.pool);
    if (!runner) return runner.status().in_file(network.file);
    auto importance = layer_importance(*runner, *sets);
    if (!importance) return importance.status().in_file(network.file);
    wanted.importance = *std::move(importance);
  }
  const Result<BitAllocationResult> result = [&] {
    ProgressBar bar;
    return allocate_bits(session, nets->contenders[0], *sets, *timed, wanted, bar);
  }();
  if (!result) return result.status().in_file(network.file);

  nlohmann::json json = json_head(conditions);
  json["file"] = network.file;
  json["float_source"] = nets->float_source;
  json["allocation"] = allocation_file;
  json["target"] = target;
  json["proxy"] = proxy;
  json["inputs"] = note.substr(0, note.size() - 1);
  if (error_note.empty()) error_note = json["inputs"].get<std::string>();
  error_note += fmt::format(", {} runs", result->error_runs);
  json["error_inputs"] = error_note;
  json["result"] = allocation_row_json(result->chosen);
  json["is_uniform"] = result->is_uniform;
  json["uniform"] = nlohmann::json::array();
  for (const AllocationRow& row : result->uniform) json["uniform"].push_back(uniform_json(row));
  json["best_uniform"] = nullptr;
  if (result->best_uniform) json["best_uniform"] = json["uniform"][*result->best_uniform];
  json["layers"] = items_json(*result);

  std::vector<std::pair<std::string, std::string>> files;
  if (!allocation_file.empty()) {
    files.emplace_back(allocation_file,
                       allocation_text(network.file, target, session, result->chosen));
  }
  return deliver(
      output,
      items_table(*result, proxy == "error" ? "rel. error alone" : "by orthogonality") +
          row_text(result->chosen) + "\n" + comparison_text(*result) + "errors: " + error_note +
          "\ntimes: " + note.substr(8) + float_side_line(*nets) + conditions_line(conditions) +
          (allocation_file.empty() ? "" : "allocation: " + printable(allocation_file) + "\n"),
      json, files);
}

}  // namespace

void add_allocate(CLI::App& app, Work& work) {
  auto command = std::make_shared<AllocateCommand>();
  CLI::App* sub = app.add_subcommand(
      "allocate", "Choose the width of each layer for a limit on error, time or bytes");
  command->add_to(*sub);
  sub->callback([command, &work] {
    command->parse();
    work = [command] { return command->run(); };
  });
}

}  // namespace pbatch::cli
