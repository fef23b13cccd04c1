#include <fmt/format.h>

#include "cli/bits.h"
#include "cli/command.h"
#include "cli/device.h"
#include "cli/threads.h"
#include "pbatch/session.h"
#include "report/table.h"
#include "report/text.h"

namespace pbatch::cli {
namespace {

struct PlanCommand {
  std::string file, bits_text;
  std::int64_t batch = 1;
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
  bits = parse_precision(bits_text, "--bits");
  overrides.parse();
}

Status PlanCommand::run() const {
  PBATCH_RETURN_IF_ERROR(check_output_files(output, {}, {file}));
  PBATCH_ASSIGN_OR_RETURN(SessionOptions options, threads.session_options());
  options.device = device.device;
  PBATCH_ASSIGN_OR_RETURN(const Session session, Session::load(file, options));
  PBATCH_RETURN_IF_ERROR(check_output_files(output, {}, session.files()));
  PBATCH_ASSIGN_OR_RETURN(const RunConditions conditions, conditions_here(session.threads()));
  if (Status s = overrides.check(session); !s) return std::move(s).in_file(file);
  const Precision precision{bits, overrides.layers};
  PBATCH_ASSIGN_OR_RETURN(const std::vector<PlanStep> steps, session.plan(precision, batch));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t bytes, session.weight_bytes(precision));

  nlohmann::json list = nlohmann::json::array();
  Table table({"node", "operator", "kernel", "bits", "rows", "cols", "weights", "repack"});
  for (const PlanStep& s : steps) {
    list.push_back({{"node", s.node},
                    {"op_type", s.op_type},
                    {"kernel", s.kernel},
                    {"weight_bits", s.weight_bits},
                    {"activation_bits", s.activation_bits},
                    {"rows", s.rows},
                    {"cols", s.cols},
                    {"weight_bytes", s.weight_bytes},
                    {"repack", s.repack}});
    const bool matrix = s.rows > 0;
    table.add({s.node, s.op_type, s.kernel,
               !matrix               ? ""
               : s.weight_bits == 32 ? "32"
                                     : fmt::format("{},{}", s.weight_bits, s.activation_bits),
               matrix ? std::to_string(s.rows) : "", matrix ? std::to_string(s.cols) : "",
               matrix ? human_bytes(double(s.weight_bytes)) : "", s.repack});
  }
  nlohmann::json json = json_head(conditions);
  add_device(session, json);
  json["file"] = file;
  json["batch"] = batch;
  json["kernel_costs"] = session.kernel_costs();
  json["weight_bits"] = bits.weight_bits;
  json["activation_bits"] = bits.activation_bits;
  json["weight_bytes"] = bytes;
  json["steps"] = list;
  return deliver(
      output,
      table.to_string() +
          fmt::format("one run reads {} of weights, scales and constants\n",
                      human_bytes(double(bytes))) +
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
  sub->add_option("--bits", command->bits_text, "Weight and activation bits")
      ->type_name("W[,A]")
      ->required();
  command->overrides.add_to(*sub);
  sub->add_option("--batch", command->batch, "Vectors at once")
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
