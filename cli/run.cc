#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <set>

#include "cli/bits.h"
#include "cli/command.h"
#include "cli/device.h"
#include "cli/profile.h"
#include "cli/threads.h"
#include "pbatch/session.h"
#include "tools/eval/tensor_summary.h"
#include "tools/io/npy.h"
#include "tools/io/port_files.h"
#include "tools/render/table.h"
#include "tools/render/text.h"

namespace pbatch::cli {
namespace {

struct RunCommand {
  std::string file, bits_text, allocation;
  std::vector<std::string> input_texts, output_texts;
  ThreadFlags threads;
  DeviceFlag device;
  LayerOverrides overrides;
  CLI::Option* bits_option = nullptr;
  LayerPrecision bits;
  bool profiles = false;
  int profile_runs = 20;
  std::string trace;
  OutputOptions output;

  void parse();
  Status run() const;
  Result<Precision> precision_for(const Session& session) const;
};

void RunCommand::parse() {
  threads.parse();
  device.parse();
  if (bits_option->count() > 0) bits = parse_precision(bits_text, "--bits");
  overrides.parse();
  std::set<std::string> files;
  for (const std::string& text : output_texts) {
    if (!names_file(text)) throw CLI::ValidationError("--output", "'" + text + "' names no file");
    const std::string file_named = unambiguous_file(text);
    if (!file_named.empty() && !files.insert(file_named).second) {
      throw CLI::ValidationError("--output", "'" + file_named + "' is given twice");
    }
  }
  for (const std::string& text : input_texts) {
    if (!names_file(text)) throw CLI::ValidationError("--input", "'" + text + "' names no file");
  }
}

Result<Precision> RunCommand::precision_for(const Session& session) const {
  if (Status s = overrides.check(session); !s) return std::move(s).in_file(file);
  if (session.layers().empty() && allocation.empty() &&
      overrides.arithmetic == Arithmetic::floats) {
    if (bits_option->count() > 0 && bits.weight_bits != 32) {
      return Status(ErrorCode::invalid_argument, "it is a float network, which has no bit-layers",
                    "leave --bits out, or turn it into a model with 'pbatch quantize'")
          .in_file(file);
    }
    return Precision::f32();
  }
  if (!allocation.empty()) return precision_of_allocation(allocation, session, overrides);
  if (bits_option->count() > 0) return overrides.with(bits);
  return overrides.with({session.max_weight_bits(), 16});
}

Status RunCommand::run() const {
  std::vector<PortFile> inputs, targets;
  std::vector<std::string> paths;
  for (const std::string& text : output_texts) paths.push_back(unambiguous_file(text));
  if (!trace.empty()) paths.push_back(trace);
  PBATCH_RETURN_IF_ERROR(check_output_files(output, paths, {file, allocation}));
  PBATCH_ASSIGN_OR_RETURN(SessionOptions options, threads.session_options());
  options.device = device.device;
  PBATCH_ASSIGN_OR_RETURN(const Session session, Session::load(file, options));
  std::vector<std::string> sources = session.files();
  for (const std::string& text : input_texts) {
    inputs.push_back(parse_port_file(text, session.inputs()));
    sources.push_back(inputs.back().file);
  }
  paths.clear();
  for (const std::string& text : output_texts) {
    targets.push_back(parse_port_file(text, session.outputs()));
    paths.push_back(targets.back().file);
  }
  PBATCH_RETURN_IF_ERROR(check_output_files(output, paths, sources));
  PBATCH_ASSIGN_OR_RETURN(const RunConditions conditions, conditions_here(session.threads()));
  PBATCH_ASSIGN_OR_RETURN(const Precision precision, precision_for(session));

  std::vector<std::string> file_of(session.outputs().size());
  for (const PortFile& target : targets) {
    auto index = find_output(session.outputs(), target.name);
    if (!index) return index.status().in_file(file);
    file_of[*index] = target.file;
  }
  auto tensors = load_inputs(session.inputs(), inputs);
  if (!tensors) return tensors.status().in_file(file);
  std::vector<InputShape> shapes;
  for (const NamedTensor& t : *tensors) shapes.push_back({t.name, t.tensor.shape()});
  PBATCH_RETURN_IF_ERROR(session.prepare(precision, shapes));
  const auto begin = std::chrono::steady_clock::now();
  PBATCH_ASSIGN_OR_RETURN(const std::vector<Tensor> results, session.run(*tensors, precision));
  const auto end = std::chrono::steady_clock::now();
  const double us = std::chrono::duration<double, std::micro>(end - begin).count();

  nlohmann::json list = nlohmann::json::array();
  Table table({"output", "type", "shape", "min", "max", "mean", "file"});
  std::vector<std::pair<std::string, std::string>> files;
  for (std::size_t i = 0; i < results.size(); ++i) {
    const Tensor& t = results[i];
    const std::string& name = session.outputs()[i].name;
    const TensorSummary s = summarize(t);
    list.push_back({{"name", name},
                    {"dtype", dtype_name(t.dtype())},
                    {"shape", t.shape()},
                    {"min", s.min},
                    {"max", s.max},
                    {"mean", s.mean},
                    {"file", file_of[i]}});
    table.add({name, dtype_name(t.dtype()), shape_to_string(t.shape()), short_number(s.min),
               short_number(s.max), short_number(s.mean), file_of[i]});
    if (file_of[i].empty()) continue;
    auto bytes = encode_npy(t);
    if (!bytes) return bytes.status().in_file(file_of[i]);
    files.emplace_back(file_of[i], *std::move(bytes));
  }
  nlohmann::json json = json_head(conditions);
  std::string profile;
  if (profiles) {
    PBATCH_ASSIGN_OR_RETURN(const std::vector<StepTime> steps,
                            session.profile(*tensors, precision, profile_runs));
    PBATCH_ASSIGN_OR_RETURN(const RunCeilings ceilings, measure_ceilings(steps, session.threads()));
    profile = profile_table(steps, ceilings);
    json["steps"] = profile_json(steps, ceilings);
    json["ceilings"] = ceilings_json(ceilings);
    if (!trace.empty()) files.emplace_back(trace, profile_trace(steps));
  }
  add_device(session, json);
  json["file"] = file;
  json["weight_bits"] = precision.all.weight_bits;
  json["activation_bits"] = activation_json(precision.all.activation_bits);
  if (precision.arithmetic == Arithmetic::integers) json["arithmetic"] = "integer";
  json["run_us"] = us;
  json["outputs"] = list;
  if (!allocation.empty()) json["allocation"] = allocation;
  const std::string how =
      !allocation.empty() ? "bits of " + printable(allocation)
      : precision.all.weight_bits == 32
          ? "float"
          : fmt::format("{} weight bits, {} activation bits{}", precision.all.weight_bits,
                        activation_name(precision.all.activation_bits),
                        precision.arithmetic == Arithmetic::integers ? ", integers alone" : "");
  return deliver(output,
                 profile + table.to_string() +
                     fmt::format("{}; first run: {}\n", how, human_time(us)) +
                     device_line(device, session) + conditions_line(conditions),
                 json, files);
}

}  // namespace

void add_run(CLI::App& app, Work& work) {
  auto command = std::make_shared<RunCommand>();
  CLI::App* sub = app.add_subcommand("run", "Run a network once");
  sub->add_option("file", command->file, "A pbatch model or a float ONNX network")->required();
  command->bits_option =
      sub->add_option("--bits", command->bits_text,
                      "Weight and activation bits; default: all planes there are, 16")
          ->type_name("W[,A]");
  add_allocation_option(*sub, command->allocation)->excludes(command->bits_option);
  command->overrides.add_to(*sub);
  sub->add_option("--input", command->input_texts, "A .npy or IDX file for each input")
      ->type_name("NAME=FILE")
      ->allow_extra_args(false);
  sub->add_option("--output", command->output_texts, "Write an output to a .npy file")
      ->type_name("NAME=FILE")
      ->allow_extra_args(false);
  command->threads.add_to(*sub);
  command->device.add_to(*sub);
  CLI::Option* profile =
      sub->add_flag("--profile", command->profiles, "Also time every step: medians over some runs");
  sub->add_option("--runs", command->profile_runs, "Runs that --profile times")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str()
      ->needs(profile);
  sub->add_option("--trace", command->trace, "Write the profile for Perfetto (ui.perfetto.dev)")
      ->type_name("FILE")
      ->needs(profile);
  add_json_option(*sub, command->output);
  sub->callback([command, &work] {
    command->parse();
    work = [command] { return command->run(); };
  });
}

}  // namespace pbatch::cli
