#include "pbatch/quantize.h"

#include <new>

#include "api/quantize_loaded.h"
#include "format/model_file.h"

namespace pbatch {
namespace {

struct NamedScheme {
  const char* name;
  Scheme scheme;
};

constexpr NamedScheme kSchemes[] = {
#define PBATCH_QUANTIZE_SCHEME(name, c_name, number, text) {text, Scheme::name},
#include "pbatch/quantize_schemes.inc"
};

}  // namespace

std::vector<std::string> scheme_names() {
  std::vector<std::string> names;
  for (const NamedScheme& each : kSchemes) names.emplace_back(each.name);
  return names;
}

Result<Scheme> parse_scheme(std::string_view name) {
  std::string names;
  for (const NamedScheme& each : kSchemes) {
    if (name == each.name) return each.scheme;
    names += (names.empty() ? "" : ", ") + std::string(each.name);
  }
  return Status(ErrorCode::invalid_argument, "there is no scheme '" + std::string(name) + "'",
                "use one of " + names);
}

Result<QuantizeReport> quantize_file(const std::string& onnx_path, const std::string& out_path,
                                     const QuantizeOptions& options) try {
  PBATCH_RETURN_IF_ERROR(check_model_path(out_path, {&onnx_path, 1}));
  PBATCH_ASSIGN_OR_RETURN(Graph graph, load_model(onnx_path));
  PBATCH_RETURN_IF_ERROR(check_model_path(out_path, graph.files));
  PBATCH_ASSIGN_OR_RETURN(QuantizeReport report, quantize_loaded(graph, options));
  PBATCH_ASSIGN_OR_RETURN(const SavedModel saved, save_model(graph, out_path, onnx_path));
  report.model_path = saved.model_path;
  report.data_path = saved.data_path;
  report.model_bytes = saved.model_bytes;
  report.data_bytes = saved.data_bytes;
  return report;
} catch (const std::bad_alloc&) {
  return no_memory_for_network().in_file(onnx_path);
}

}  // namespace pbatch
