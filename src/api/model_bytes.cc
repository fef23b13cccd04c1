#include "pbatch/model_bytes.h"

#include <new>

#include "api/quantize_loaded.h"
#include "format/model_file.h"
#include "graph/subgraphs.h"
#include "layout/bit_matrix.h"

namespace pbatch {
namespace {

Result<QuantizedBytes> quantize_and_encode(Result<Graph> graph, const QuantizeOptions& options) {
  if (!graph) return graph.status();
  QuantizedBytes made;
  PBATCH_ASSIGN_OR_RETURN(made.report, quantize_loaded(*graph, options));
  PBATCH_ASSIGN_OR_RETURN(made.bytes, encode_model(*graph));
  made.report.model_bytes = static_cast<std::int64_t>(made.bytes.model.size());
  made.report.data_bytes = static_cast<std::int64_t>(made.bytes.data.size());
  return made;
}

// Planes of a model that was loaded are read when they are needed.
Status read_all_planes(const Graph& graph) {
  Status status;
  visit_nodes(graph, [&](const Node& node) {
    if (!status || node.matrix == nullptr || !node.matrix->verify_planes) return;
    status = node.matrix->verify_planes(node.matrix->planes_available()).at_node(node.name);
  });
  return status;
}

}  // namespace

Result<QuantizedBytes> quantize_to_bytes(const std::string& onnx_path,
                                         const QuantizeOptions& options) try {
  return quantize_and_encode(load_model(onnx_path), options);
} catch (const std::bad_alloc&) {
  return no_memory_for_network().in_file(onnx_path);
}

Result<QuantizedBytes> quantize_bytes(std::string_view onnx, const QuantizeOptions& options) try {
  return quantize_and_encode(load_model_bytes(onnx, {}), options);
} catch (const std::bad_alloc&) {
  return no_memory_for_network();
}

Status write_model(const ModelBytes& bytes, const std::string& out_path) try {
  PBATCH_RETURN_IF_ERROR(check_model_path(out_path, {}));
  PBATCH_ASSIGN_OR_RETURN(const Graph graph, load_model_bytes(bytes.model, bytes.data));
  if (!graph.metadata.contains("pbatch.format_version")) {
    return {ErrorCode::invalid_argument, "a float network is not a pbatch model",
            "quantize it first"};
  }
  PBATCH_RETURN_IF_ERROR(read_all_planes(graph));
  return save_model(graph, out_path, {}).status();
} catch (const std::bad_alloc&) {
  return Status(ErrorCode::out_of_memory, "not enough memory to write the model",
                "use a machine with more memory")
      .in_file(out_path);
}

}  // namespace pbatch
