#include "cli/inspect.h"

#include <fmt/format.h>

#include <filesystem>

#include "cli/bits.h"
#include "cli/command.h"
#include "cli/shapes.h"
#include "pbatch/session.h"
#include "tools/eval/free_shapes.h"
#include "tools/io/port_files.h"
#include "tools/render/table.h"
#include "tools/render/text.h"

namespace pbatch::cli {
namespace {

struct InspectCommand {
  std::string file, bits_text = "8";
  LayerOverrides overrides;
  ShapeFlags shapes;
  LayerPrecision bits;
  OutputOptions output;

  void check_usage(const CLI::App& sub) const;
  Status run() const;
  Result<std::string> describe_bounds(const Session& session, nlohmann::json& json) const;
};

// Bytes of a layer's weights and scales at width n.
std::int64_t layer_bytes(const LayerInfo& l, int n) { return n * l.plane_bytes + l.scale_bytes; }

nlohmann::json layers_json(const Session& session) {
  nlohmann::json list = nlohmann::json::array();
  for (const LayerInfo& l : session.layers()) {
    nlohmann::json bytes = nlohmann::json::array();
    for (int n = 1; n <= l.planes_available; ++n) bytes.push_back(layer_bytes(l, n));
    list.push_back({{"name", l.name},
                    {"op_type", l.op_type},
                    {"rows", l.rows},
                    {"cols", l.cols},
                    {"group", l.group},
                    {"planes_stored", l.planes_stored},
                    {"planes_available", l.planes_available},
                    {"plane_bytes", l.plane_bytes},
                    {"scale_bytes", l.scale_bytes},
                    {"bytes_by_width", bytes},
                    {"min_weight_bits", l.min_weight_bits},
                    {"same_as", l.same_as}});
  }
  return list;
}

std::string layers_text(const Session& session) {
  if (session.layers().empty()) return "no quantized layers\n";
  Table table({"layer", "operator", "rows", "cols", "group", "planes", "at least", "bytes/plane",
               "scales", "all planes"});
  for (const LayerInfo& l : session.layers()) {
    table.add({l.name, l.op_type, std::to_string(l.rows), std::to_string(l.cols),
               l.group == 0 ? "row" : std::to_string(l.group),
               l.planes_available == l.planes_stored
                   ? std::to_string(l.planes_stored)
                   : fmt::format("{} of {}", l.planes_available, l.planes_stored),
               std::to_string(l.min_weight_bits), human_bytes(double(l.plane_bytes)),
               human_bytes(double(l.scale_bytes)),
               l.same_as.empty() ? human_bytes(double(layer_bytes(l, l.planes_available)))
                                 : "as " + l.same_as});
  }
  return table.to_string();
}

// A model: layers, planes, and what a run reads at each width.
Result<std::string> describe_model(const std::string& file, const Session& session,
                                   nlohmann::json& json) {
  const int widths = session.max_weight_bits();
  json["kind"] = "bit-layers";
  json["inputs"] = ports_json(session.inputs());
  json["outputs"] = ports_json(session.outputs());
  json["layers"] = layers_json(session);
  json["max_weight_bits"] = widths;
  json["float_source"] = session.float_source();
  std::string text =
      fmt::format("{}: bit-layers, {}\n", printable(file),
                  widths == 0 ? "cut before the first plane" : fmt::format("1 to {} bits", widths));
  text += ports_text("input", session.inputs()) + ports_text("output", session.outputs());
  text += layers_text(session);

  std::int64_t float_bytes = 0;
  Table sizes({"weights", "bytes a run reads"});
  nlohmann::json by_width = nlohmann::json::array();
  for (int n = 1; n <= widths; ++n) {
    PBATCH_ASSIGN_OR_RETURN(const std::int64_t bytes, session.weight_bytes(Precision::bits(n)));
    float_bytes = bytes;
    for (const LayerInfo& layer : session.layers()) {
      if (layer.same_as.empty()) float_bytes -= n * layer.plane_bytes + layer.scale_bytes;
    }
    by_width.push_back(bytes);
    sizes.add({fmt::format("{}-bit", n), human_bytes(double(bytes))});
  }
  if (widths != 0) text += sizes.to_string();
  json["weight_bytes_by_width"] = by_width;
  json["float_constant_bytes"] = float_bytes;
  return text + fmt::format("constants kept as floats: {}\n", human_bytes(double(float_bytes)));
}

// The greatest sums of an integer run: what proves that none overflows.
Result<std::string> InspectCommand::describe_bounds(const Session& session,
                                                    nlohmann::json& json) const {
  const std::map<std::string, Shape> given = shapes.parse();
  PBATCH_RETURN_IF_ERROR(check_shape_names(session, given));
  PBATCH_RETURN_IF_ERROR(overrides.check(session));
  std::vector<InputShape> wanted;
  for (const auto& [input, shape] : given) wanted.push_back({input, shape});
  PBATCH_ASSIGN_OR_RETURN(const std::vector<AccumulatorBound> bounds,
                          session.accumulators(overrides.with(bits), wanted));
  Table table({"product", "rows", "cols", "weights", "inputs", "greatest sum", "bits", "of a run",
               "runs in 16 bits"});
  json["accumulators"] = nlohmann::json::array();
  for (const AccumulatorBound& b : bounds) {
    const int width = b.largest < 2147483648.0 ? 32 : 64;
    table.add({b.node, std::to_string(b.rows), std::to_string(b.cols),
               fmt::format("{}-bit", b.weight_bits), fmt::format("{}-bit", b.activation_bits),
               fmt::format("{:.0f}", b.largest), std::to_string(width),
               fmt::format("{:.0f}", b.largest_run),
               fmt::format("{} of {}", b.runs_in_16, b.runs)});
    json["accumulators"].push_back({{"node", b.node},
                                    {"rows", b.rows},
                                    {"cols", b.cols},
                                    {"weight_bits", b.weight_bits},
                                    {"activation_bits", b.activation_bits},
                                    {"largest", b.largest},
                                    {"largest_run", b.largest_run},
                                    {"runs", b.runs},
                                    {"runs_in_16_bits", b.runs_in_16}});
  }
  return "sums of an integer run:\n" + table.to_string();
}

// What is said of a run is of no use where none is looked at.
void InspectCommand::check_usage(const CLI::App& sub) const {
  if (overrides.arithmetic == Arithmetic::integers) return;
  for (const char* option : {"--bits", "--layer", "--shape", "--exact"}) {
    if (sub.get_option(option)->count() == 0) continue;
    throw CLI::ValidationError(option, "goes with --arithmetic integer");
  }
}

Status InspectCommand::run() const {
  PBATCH_RETURN_IF_ERROR(check_output_files(output, {}, {file}));
  PBATCH_ASSIGN_OR_RETURN(const NetworkSummary summary, summarize_network(file));
  PBATCH_RETURN_IF_ERROR(check_output_files(output, {}, summary.files));
  PBATCH_ASSIGN_OR_RETURN(const RunConditions conditions, conditions_here(1));
  nlohmann::json json = json_head(conditions);
  json["file"] = file;
  std::error_code error;
  const auto file_bytes = std::filesystem::file_size(file, error);
  json["file_bytes"] = error ? 0 : static_cast<std::int64_t>(file_bytes);
  if (summary.is_float && overrides.arithmetic == Arithmetic::integers) {
    return Status(ErrorCode::invalid_argument, "integer arithmetic needs a network of bit-layers",
                  "make one with 'pbatch quantize'")
        .in_file(file);
  }
  if (summary.is_float) {
    PBATCH_ASSIGN_OR_RETURN(const std::string text, describe_float(file, summary, json));
    return deliver(output, text, json);
  }
  PBATCH_ASSIGN_OR_RETURN(const Session session, Session::load(file, {.threads = 1}));
  PBATCH_ASSIGN_OR_RETURN(std::string text, describe_model(file, session, json));
  if (overrides.arithmetic == Arithmetic::integers) {
    PBATCH_ASSIGN_OR_RETURN(const std::string bounds, describe_bounds(session, json));
    text += bounds;
  }
  return deliver(output, text, json);
}

}  // namespace

void add_inspect(CLI::App& app, Work& work) {
  auto command = std::make_shared<InspectCommand>();
  CLI::App* sub = app.add_subcommand("inspect", "Show inputs, outputs, layers, planes and sizes");
  sub->add_option("file", command->file, "A pbatch model or a float ONNX network")->required();
  command->overrides.add_to(*sub);
  sub->add_option("--bits", command->bits_text, "With --arithmetic integer: the widths to prove")
      ->type_name("W[,A]")
      ->capture_default_str();
  command->shapes.add_to(*sub, "With --arithmetic integer: shape of an input");
  add_json_option(*sub, command->output);
  sub->callback([command, sub, &work] {
    command->bits = parse_precision(command->bits_text, "--bits");
    command->overrides.parse();
    command->check_usage(*sub);
    work = [command] { return command->run(); };
  });
}

}  // namespace pbatch::cli
