#include <new>

#include "execute/simplify.h"
#include "format/model_file.h"
#include "pbatch/quantize.h"
#include "quantize/quantize_graph.h"

namespace pbatch {

Result<QuantizeReport> quantize_file(const std::string& onnx_path, const std::string& out_path,
                                     const QuantizeOptions& options) try {
  PBATCH_RETURN_IF_ERROR(check_model_path(out_path, {&onnx_path, 1}));
  PBATCH_ASSIGN_OR_RETURN(Graph graph, load_model(onnx_path));
  if (graph.metadata.contains("pbatch.format_version")) {
    return Status(ErrorCode::invalid_argument, "it is a pbatch model already",
                  "quantize the float network that it was made from")
        .in_file(onnx_path);
  }
  PBATCH_RETURN_IF_ERROR(check_model_path(out_path, graph.files));
  PBATCH_RETURN_IF_ERROR(simplify_to_quantize(graph));
  QuantizeReport report;
  report.source_files = graph.files;
  PBATCH_ASSIGN_OR_RETURN(report.layers, quantize_graph(graph, options));
  PBATCH_ASSIGN_OR_RETURN(const SavedModel saved, save_model(graph, out_path, onnx_path));
  report.model_path = saved.model_path;
  report.data_path = saved.data_path;
  report.model_bytes = saved.model_bytes;
  report.data_bytes = saved.data_bytes;
  for (const LayerReport& layer : report.layers) {
    if (layer.same_as.empty()) report.float_bytes += layer.float_bytes;
  }
  return report;
} catch (const std::bad_alloc&) {
  return Status(ErrorCode::out_of_memory, "not enough memory to quantize the network",
                "use a machine with more memory")
      .in_file(onnx_path);
}

}  // namespace pbatch
