// Float graph -> graph whose weight matrices are bit-layers.
#pragma once

#include <vector>

#include "graph/graph.h"
#include "pbatch/quantize.h"
#include "pbatch/status.h"
#include "quantize/input_moments.h"

namespace pbatch {

/// Replaces every pbatch.Linear, MatMul and Gemm with a constant matrix by
/// pbatch.BitLinear, every Conv and pbatch.Conv of one group by pbatch.BitConv,
/// every pbatch.Recurrent by pbatch.BitRecurrent, and every Gather of rows of a
/// constant float matrix by pbatch.BitGather.
/// What stays float is reported with the reason. Subgraphs take part.
/// With `moments`, matrices whose inputs it knows get compensated codes where these are better;
/// without, all codes are plain, whatever options.scheme says.
/// Precondition: simplify() has run. The graph is unchanged after an error.
Result<std::vector<LayerReport>> quantize_graph(Graph& graph, const QuantizeOptions& options,
                                                MomentSource* moments = nullptr);

/// The layers that it would look at, without quantizing: those whose `reason` is empty are fit.
Result<std::vector<LayerReport>> list_candidates(const Graph& graph,
                                                 const QuantizeOptions& options);

}  // namespace pbatch
