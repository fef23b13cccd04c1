// What a float network consists of.
#include <fmt/format.h>

#include "cli/inspect.h"
#include "tools/io/port_files.h"
#include "tools/render/table.h"
#include "tools/render/text.h"

namespace pbatch::cli {
namespace {

nlohmann::json operators_json(const NetworkSummary& summary) {
  nlohmann::json list = nlohmann::json::array();
  for (const OperatorCount& op : summary.operators) {
    list.push_back(
        {{"domain", op.domain}, {"op_type", op.op_type}, {"count", op.count}, {"runs", op.runs}});
  }
  return list;
}

nlohmann::json candidates_json(const NetworkSummary& summary) {
  nlohmann::json list = nlohmann::json::array();
  for (const LayerReport& l : summary.candidates) {
    list.push_back({{"name", l.name},
                    {"op_type", l.op_type},
                    {"rows", l.rows},
                    {"cols", l.cols},
                    {"fits", l.reason.empty()},
                    {"reason", l.reason}});
  }
  return list;
}

std::string operators_text(const NetworkSummary& summary) {
  Table table({"operator", "nodes", ""});
  for (const OperatorCount& op : summary.operators) {
    const std::string name = op.domain == "ai.onnx" ? op.op_type : op.domain + "." + op.op_type;
    table.add({name, std::to_string(op.count), op.runs ? "" : "cannot run"});
  }
  return table.to_string();
}

std::string candidates_text(const NetworkSummary& summary) {
  if (summary.candidates.empty()) return "no layers to quantize\n";
  Table table({"layer", "operator", "rows", "cols", "bit-layers"});
  for (const LayerReport& l : summary.candidates) {
    table.add({l.name, l.op_type, std::to_string(l.rows), std::to_string(l.cols),
               l.reason.empty() ? "yes" : "no: " + l.reason});
  }
  return table.to_string();
}

}  // namespace

nlohmann::json ports_json(const std::vector<PortInfo>& ports) {
  nlohmann::json list = nlohmann::json::array();
  for (const PortInfo& p : ports) {
    list.push_back({{"name", p.name},
                    {"dtype", dtype_name(p.dtype)},
                    {"shape", p.shape},
                    {"dim_names", p.dim_names},
                    {"optional", p.optional}});
  }
  return list;
}

std::string ports_text(const char* kind, const std::vector<PortInfo>& ports) {
  std::string text;
  for (const PortInfo& p : ports) {
    text += fmt::format("{}{}: {} {}\n", p.optional ? "optional " : "", kind, printable(p.name),
                        printable(describe_type(p)));
  }
  return text;
}

Result<std::string> describe_float(const std::string& file, const NetworkSummary& summary,
                                   nlohmann::json& json) {
  std::string opsets;
  for (const auto& [domain, version] : summary.opsets) {
    opsets += fmt::format("{}{} {}", opsets.empty() ? "" : ", ", printable(domain), version);
  }
  json["kind"] = "float";
  json["inputs"] = ports_json(summary.inputs);
  json["outputs"] = ports_json(summary.outputs);
  json["opsets"] = summary.opsets;
  json["operators"] = operators_json(summary);
  json["candidates"] = candidates_json(summary);
  json["runs"] = summary.problem.is_ok();
  json["problem"] = summary.problem.is_ok() ? "" : summary.problem.to_line();
  json["advice"] = summary.advice;
  json["layers"] = nlohmann::json::array();
  json["max_weight_bits"] = 0;
  json["weight_bytes_by_width"] = nlohmann::json::array();
  json["float_source"] = "";
  std::string text = fmt::format("{}: a float network, opset {}\n", printable(file), opsets) +
                     ports_text("input", summary.inputs) + ports_text("output", summary.outputs) +
                     operators_text(summary) + candidates_text(summary);
  if (summary.problem) {
    PBATCH_ASSIGN_OR_RETURN(const Session session, Session::load(file, {.threads = 1}));
    PBATCH_ASSIGN_OR_RETURN(const std::int64_t bytes, session.weight_bytes(Precision::f32()));
    json["float_constant_bytes"] = bytes;
    text += fmt::format("constants kept as floats: {}\n", human_bytes(double(bytes)));
  } else {
    json["float_constant_bytes"] = nullptr;
    text += "cannot run: " + printable(summary.problem.to_line()) + "\n";
  }
  return text + summary.advice + "\n";
}

}  // namespace pbatch::cli
