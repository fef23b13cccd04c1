#include "tools/allocate/load_runner.h"

#include <algorithm>
#include <utility>

#include "format/model_file.h"
#include "graph/subgraphs.h"
#include "layout/bit_matrix.h"
#include "quantize/quantize_graph.h"
#include "run/simplify.h"

namespace pbatch {
namespace {

// Planes that all matrices have; 0: there are no matrices.
int planes_at_hand(const Graph& graph) {
  int planes = 0;
  visit_nodes(graph, [&](const Node& node) {
    if (node.matrix == nullptr) return;
    const int own = node.matrix->planes_available();
    planes = planes == 0 ? own : std::min(planes, own);
  });
  return planes;
}

// Planes that were loaded are read when they are needed.
Status read_planes(const Graph& graph, int planes) {
  Status status;
  visit_nodes(graph, [&](const Node& node) {
    if (!status || node.matrix == nullptr || !node.matrix->verify_planes) return;
    status = node.matrix->verify_planes(planes).at_node(node.name);
  });
  return status;
}

}  // namespace

Result<NetworkRunner> load_runner(const std::string& file, const QuantizeOptions& options,
                                  ThreadPool& pool) {
  PBATCH_ASSIGN_OR_RETURN(Graph graph, load_model(file));
  if (planes_at_hand(graph) == 0) {
    PBATCH_RETURN_IF_ERROR(simplify_to_quantize(graph));
    QuantizeOptions plain = options;
    plain.scheme = Scheme::plain;
    PBATCH_RETURN_IF_ERROR(quantize_graph(graph, plain).status());
  }
  const int planes = planes_at_hand(graph);
  PBATCH_RETURN_IF_ERROR(read_planes(graph, planes));
  return NetworkRunner::create(std::move(graph), pool, std::max(planes, 1));
}

}  // namespace pbatch
