// A float network in memory becomes one of bit-layers.
#pragma once

#include "graph/graph.h"
#include "pbatch/quantize.h"
#include "pbatch/status.h"

namespace pbatch {

/// Simplifies `graph`, makes the statistics that options.scheme needs, and quantizes. The report
/// says nothing of files written. invalid_argument for a pbatch model.
Result<QuantizeReport> quantize_loaded(Graph& graph, const QuantizeOptions& options);

/// The error of whoever catches std::bad_alloc around it.
Status no_memory_for_network();

}  // namespace pbatch
