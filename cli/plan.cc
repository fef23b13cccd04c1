#include <fmt/format.h>

#include "cli/bits.h"
#include "cli/command.h"
#include "cli/device.h"
#include "cli/shapes.h"
#include "cli/threads.h"
#include "pbatch/session.h"
#include "tools/eval/free_shapes.h"
#include "tools/render/table.h"
#include "tools/render/text.h"

namespace pbatch::cli {
namespace {

struct PlanCommand {
  std::string file, bits_text, allocation;
  std::int64_t batch = 1;
  ShapeFlags shapes;
  ThreadFlags threads;
  DeviceFlag device;
  LayerOverrides overrides;
  LayerPrecision bits;
  OutputOptions output;

  void parse();
  Status run() const;
};

void PlanCommand::parse() {
  threads.parse();
  device.parse();
  shapes.parse();
  if (bits_text.empty() == allocation.empty()) {
    throw CLI::ValidationError("--bits", "give --bits or --allocation");
  }
  if (!bits_text.empty()) bits = parse_precision(bits_text, "--bits");
  overrides.parse();
}

std::string bits_text_of(const PlanStep& s) {
  if (s.rows == 0) return "";
  if (s.weight_bits == 32) return "32";
  return fmt::format("{},{}", s.weight_bits, s.activation_bits);
}

std::string plan_table(const std::vector<PlanStep>& steps) {
  Table table({"node", "operator", "kernel", "bits", "rows", "cols", "makes", "weights",
               "predicted us", "repack"});
  for (const PlanStep& s : steps) {
    const bool matrix = s.rows > 0;
    table.add({s.node, s.op_type, s.kernel, bits_text_of(s), matrix ? std::to_string(s.rows) : "",
               matrix ? std::to_string(s.cols) : "", s.planned ? shape_to_string(s.shape) : "",
               s.weight_bytes > 0 ? human_bytes(double(s.weight_bytes)) : "",
               s.predicted_us > 0 ? short_number(s.predicted_us) : "", s.repack});
  }
  return table.to_string();
}

nlohmann::json steps_json(const std::vector<PlanStep>& steps) {
  nlohmann::json list = nlohmann::json::array();
  for (const PlanStep& s : steps) {
    list.push_back({{"node", s.node},
                    {"op_type", s.op_type},
                    {"kernel", s.kernel},
                    {"planned", s.planned},
                    {"shape", s.shape},
                    {"weight_bits", s.weight_bits},
                    {"activation_bits", s.activation_bits},
                    {"rows", s.rows},
                    {"cols", s.cols},
                    {"macs", s.macs},
                    {"weight_bytes", s.weight_bytes},
                    {"predicted_us", s.predicted_us},
                    {"repack", s.repack}});
  }
  return list;
}

Status PlanCommand::run() const {
  PBATCH_RETURN_IF_ERROR(check_output_files(output, {}, {file, allocation}));
  PBATCH_ASSIGN_OR_RETURN(SessionOptions options, threads.session_options());
  options.device = device.device;
  PBATCH_ASSIGN_OR_RETURN(const Session session, Session::load(file, options));
  PBATCH_RETURN_IF_ERROR(check_output_files(output, {}, session.files()));
  PBATCH_ASSIGN_OR_RETURN(const RunConditions conditions, conditions_here(session.threads()));
  if (Status s = overrides.check(session); !s) return std::move(s).in_file(file);
  Precision precision = overrides.with(bits);
  if (!allocation.empty()) {
    PBATCH_ASSIGN_OR_RETURN(precision, precision_of_allocation(allocation, session, overrides));
  }
  const Result<Planned> planned = plan_that_fits(session, precision, shapes.parse(), batch);
  if (!planned) return planned.status().in_file(file);
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t bytes, session.weight_bytes(precision));

  nlohmann::json inputs = nlohmann::json::object();
  std::string fed = "for inputs";
  for (const InputShape& input : planned->inputs) {
    inputs[input.name] = input.shape;
    fed += " " + printable(input.name) + " " + shape_to_string(input.shape);
  }
  nlohmann::json json = json_head(conditions);
  add_device(session, json);
  json["file"] = file;
  json["inputs"] = inputs;
  json["kernel_costs"] = session.kernel_costs();
  json["weight_bits"] = precision.all.weight_bits;
  json["activation_bits"] = activation_json(precision.all.activation_bits);
  if (precision.arithmetic == Arithmetic::integers) json["arithmetic"] = "integer";
  if (!allocation.empty()) json["allocation"] = allocation;
  json["weight_bytes"] = bytes;
  json["prepared_bytes"] = session.prepared_bytes();
  json["steps"] = steps_json(planned->steps);
  return deliver(
      output,
      plan_table(planned->steps) + fed +
          fmt::format("; one run reads {} of weights, scales and constants\n"
                      "scales and copies as kernels read them: {}\n",
                      human_bytes(double(bytes)), human_bytes(double(session.prepared_bytes()))) +
          (session.kernel_costs().empty()
               ? ""
               : "kernels chosen by costs: " + printable(session.kernel_costs()) + "\n") +
          device_line(device, session) + conditions_line(conditions),
      json);
}

}  // namespace

void add_plan(CLI::App& app, Work& work) {
  auto command = std::make_shared<PlanCommand>();
  CLI::App* sub = app.add_subcommand("plan", "Print what a run would do, node by node");
  sub->add_option("file", command->file, "A pbatch model or a float ONNX network")->required();
  sub->add_option("--bits", command->bits_text, "Weight and activation bits")->type_name("W[,A]");
  add_allocation_option(*sub, command->allocation);
  command->overrides.add_to(*sub);
  command->shapes.add_to(*sub, "Shape of an input with free dimensions");
  sub->add_option("--batch", command->batch, "Free first dimensions that no --shape gives")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 20))
      ->capture_default_str();
  command->threads.add_to(*sub);
  command->device.add_to(*sub);
  add_json_option(*sub, command->output);
  sub->callback([command, &work] {
    command->parse();
    work = [command] { return command->run(); };
  });
}

}  // namespace pbatch::cli
