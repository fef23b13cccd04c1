#include "api/quantize_loaded.h"

#include <memory>
#include <utility>

#include "api/input_ranges.h"
#include "base/thread_pool.h"
#include "calibrate/calibration.h"
#include "quantize/fold_lookups.h"
#include "quantize/quantize_graph.h"
#include "run/simplify.h"

namespace pbatch {
namespace {

bool is_compensated(const QuantizeOptions& options) {
  // Planes beyond the eighth only refine a compensated code, and are wanted to be exact.
  const bool fits = options.planes <= 8 || !options.samples.empty();
  return options.scheme == Scheme::compensated || (options.scheme == Scheme::automatic && fits);
}

}  // namespace

Result<QuantizeReport> quantize_loaded(Graph& graph, const QuantizeOptions& options) {
  if (graph.metadata.contains("pbatch.format_version")) {
    return Status(ErrorCode::invalid_argument, "it is a pbatch model already",
                  "quantize the float network that it was made from")
        .in_file(graph.source_file);
  }
  PBATCH_RETURN_IF_ERROR(simplify_to_quantize(graph));
  PBATCH_RETURN_IF_ERROR(fold_lookups(graph, options));
  QuantizeReport report;
  report.source_files = graph.files;
  ThreadPool pool(options.threads);
  std::unique_ptr<Calibration> calibration;
  if (options.scheme == Scheme::automatic && !is_compensated(options)) {
    report.plain_reason =
        "its codes have more than 8 planes, of which the others would only refine";
  }
  const bool may_be_plain = options.scheme == Scheme::automatic && options.samples.empty();
  if (is_compensated(options) || !options.samples.empty()) {
    auto made = Calibration::create(graph, options, pool);
    if (made) {
      calibration = std::move(made).value();
      if (is_compensated(options)) {
        report.statistics = statistics_name(calibration->statistics());
      }
    } else if (may_be_plain && made.status().code() != ErrorCode::out_of_memory) {
      report.plain_reason = made.status().message();
    } else {
      return made.status();
    }
  }
  Result<std::vector<LayerReport>> layers =
      quantize_graph(graph, options, is_compensated(options) ? calibration.get() : nullptr);
  if (!layers && may_be_plain && calibration != nullptr) {
    // It does not run on what was made up for it.
    report.plain_reason = layers.status().message();
    report.statistics.clear();
    layers = quantize_graph(graph, options);
  }
  PBATCH_ASSIGN_OR_RETURN(report.layers, std::move(layers));
  if (calibration != nullptr && report.plain_reason.empty()) {
    PBATCH_RETURN_IF_ERROR(calibration->add_input_ranges(graph));
  }
  PBATCH_RETURN_IF_ERROR(add_input_ranges(graph, options));
  for (const LayerReport& layer : report.layers) {
    if (layer.same_as.empty()) report.float_bytes += layer.float_bytes;
  }
  return report;
}

Status no_memory_for_network() {
  return {ErrorCode::out_of_memory, "not enough memory to quantize the network",
          "use a machine with more memory"};
}

}  // namespace pbatch
