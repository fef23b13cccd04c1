#include "calibrate/calibration.h"

#include <algorithm>
#include <set>
#include <utility>

#include "calibrate/sample_inputs.h"
#include "graph/subgraphs.h"
#include "layout/bit_matrix.h"
#include "quantize/quantize_graph.h"

namespace pbatch {
namespace {

constexpr int kWatchedPlanes = 16;
// Bytes of moments held at a time; a matrix that has more has them alone.
constexpr std::int64_t kMostBytes = std::int64_t{1} << 29;
// How much white inputs count among those that codes are judged by where noise stands for sound,
// whose spectrum nobody knows: what is gained on the noise must not be lost on others.
constexpr double kDoubtOfSound = 1;
constexpr int kAttemptsForSound = 5;

void add_white(double share, InputMoments* m) {
  double mean = 0;
  for (std::int64_t i = 0; i < m->cols; ++i) mean += m->moments[i * (m->cols + 1)];
  mean /= static_cast<double>(m->cols);
  for (std::int64_t i = 0; i < m->cols; ++i) m->moments[i * (m->cols + 1)] += share * mean;
}

}  // namespace

Result<std::unique_ptr<Calibration>> Calibration::create(const Graph& graph,
                                                         const QuantizeOptions& options,
                                                         ThreadPool& pool) {
  Graph watched = graph;
  QuantizeOptions wide = options;
  wide.planes = kWatchedPlanes;
  PBATCH_RETURN_IF_ERROR(quantize_graph(watched, wide).status());
  PBATCH_ASSIGN_OR_RETURN(NetworkRunner runner, NetworkRunner::create(std::move(watched), pool));
  std::unique_ptr<Calibration> made(new Calibration(std::move(runner), pool));
  visit_nodes(made->runner_.graph(), [&](const Node& node) {
    if (node.matrix == nullptr) return;
    const BitMatrix* const matrix = node.matrix.get();
    made->matrix_of_[node.name] = matrix;
    std::vector<const BitMatrix*>& all = made->matrices_;
    if (std::find(all.begin(), all.end(), matrix) == all.end()) all.push_back(matrix);
  });
  made->kind_ = kind_of(made->runner_.graph(), made->runner_.inputs());
  made->samples_ = options.samples;
  if (!options.samples.empty()) {
    made->statistics_ = Statistics::samples;
  } else {
    PBATCH_ASSIGN_OR_RETURN(
        made->statistics_,
        choose_statistics(made->runner_, made->kind_, options.scheme == Scheme::compensated));
  }
  return made;
}

Result<const MatrixMoments*> Calibration::moments_of(const std::string& layer) {
  const auto matrix = matrix_of_.find(layer);
  if (matrix == matrix_of_.end()) return static_cast<const MatrixMoments*>(nullptr);
  if (now_.count(matrix->second) == 0) PBATCH_RETURN_IF_ERROR(run_pass(matrix->second));
  const MatrixMoments& found = now_[matrix->second];
  return found.fit.empty() || found.check.empty() ? nullptr : &found;
}

// Of this matrix and as many behind it as there is room for.
Status Calibration::run_pass(const BitMatrix* matrix) {
  now_.clear();
  std::int64_t bytes = 0;
  for (auto at = std::find(matrices_.begin(), matrices_.end(), matrix); at != matrices_.end();
       ++at) {
    bytes += 2 * (*at)->cols * (*at)->cols * static_cast<std::int64_t>(sizeof(double));
    if (bytes > kMostBytes && !now_.empty()) break;
    now_[*at] = {};
  }
  PBATCH_RETURN_IF_ERROR(collect(/*check=*/false));
  return collect(/*check=*/true);
}

Status Calibration::collect(bool check) {
  std::set<const BitMatrix*> wanted;
  for (const auto& entry : now_) wanted.insert(entry.first);
  MomentCollector collector(std::move(wanted), pool_);
  collector.also(&ranges_);
  fed_ = true;
  const Status fed = statistics_ == Statistics::samples
                         ? feed_samples(runner_, kind_, samples_,
                                        check ? SamplePart::check : SamplePart::fit, collector)
                         : feed_made_up(runner_, kind_, statistics_, check ? 2 : 1, collector);
  runner_.watch(nullptr);
  if (fed.code() == ErrorCode::not_finite) {  // of the inputs, which is not the matrix's fault
    return Status(ErrorCode::invalid_argument, fed.message(), fed.remedy()).at_node(fed.node());
  }
  PBATCH_RETURN_IF_ERROR(fed);
  for (auto& [matrix, moments] : now_) {
    std::vector<InputMoments>& taken = check ? moments.check : moments.fit;
    taken = collector.take(*matrix);
    if (!check || statistics_ != Statistics::noise || !kind_.takes_waveform()) continue;
    for (InputMoments& part : taken) add_white(kDoubtOfSound, &part);
    moments.attempts = kAttemptsForSound;
  }
  return Status::ok();
}

Status Calibration::add_input_ranges(Graph& graph) {
  if (statistics_ == Statistics::noise) return Status::ok();
  if (!fed_) PBATCH_RETURN_IF_ERROR(collect(/*check=*/false));
  PBATCH_RETURN_IF_ERROR(
      change_subgraphs(graph, [this](Graph& inner) { return add_input_ranges(inner); }));
  for (Node& node : graph.nodes) {
    if (node.op_type != "BitLinear" && node.op_type != "BitConv") continue;
    const auto matrix = matrix_of_.find(node.name);
    if (matrix == matrix_of_.end()) continue;
    if (const auto range = ranges_.range_of(*matrix->second)) {
      node.attributes["input_range"] =
          std::vector<float>{range->least, range->greatest, range->limit8};
      if (range->octaves > 0) node.attributes["input_octaves"] = range->octaves;
    }
  }
  return Status::ok();
}

}  // namespace pbatch
