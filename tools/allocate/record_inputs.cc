#include "tools/allocate/record_inputs.h"

#include <algorithm>
#include <utility>

#include "calibrate/moment_collector.h"
#include "calibrate/network_kind.h"
#include "calibrate/network_runner.h"
#include "calibrate/sample_inputs.h"
#include "format/model_file.h"
#include "graph/subgraphs.h"
#include "layout/bit_matrix.h"
#include "quantize/quantize_graph.h"
#include "run/simplify.h"

namespace pbatch {
namespace {

constexpr std::size_t kSets = 8;
constexpr double kMostRecordWork = 5e8;  // multiply-adds
constexpr std::uint64_t kRecordSeed = 3;

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

Result<NetworkRunner> make_runner(const std::string& file, const QuantizeOptions& options,
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

}  // namespace

Result<RecordedInputs> record_inputs(const std::string& file, const QuantizeOptions& options,
                                     ThreadPool& pool) {
  PBATCH_ASSIGN_OR_RETURN(NetworkRunner runner, make_runner(file, options, pool));
  const NetworkKind kind = kind_of(runner.graph(), runner.inputs());
  RecordedInputs made;
  made.statistics = Statistics::samples;
  if (options.samples.empty()) {
    PBATCH_ASSIGN_OR_RETURN(made.statistics, choose_statistics(runner, kind, /*forced=*/true));
  }
  MomentCollector collector({}, pool);
  collector.limit_work(kMostRecordWork);
  runner.record(&made.sets, kSets);
  const Status fed = made.statistics == Statistics::samples
                         ? feed_samples(runner, kind, options.samples, SamplePart::fit, collector)
                         : feed_made_up(runner, kind, made.statistics, kRecordSeed, collector);
  runner.watch(nullptr);
  PBATCH_RETURN_IF_ERROR(fed);
  return made;
}

}  // namespace pbatch
