// Graph inputs with a value where none is fed (Value::fallback).
#pragma once

#include "graph/graph.h"

namespace pbatch {

bool has_fallbacks(const Graph& graph);

enum class Freeze {
  all,
  parameters,  ///< what layers take as weights, biases, statistics or shapes
};

/// Makes such inputs constants, inputs no more. Exporters of a time listed every weight as an
/// input; nobody feeds those, and only constants can be folded and quantized.
void freeze_fallbacks(Graph& graph, Freeze which);

}  // namespace pbatch
