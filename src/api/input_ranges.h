// What the float inputs of a network can be, kept in the model for integer arithmetic.
#pragma once

#include "graph/graph.h"
#include "pbatch/quantize.h"
#include "pbatch/status.h"

namespace pbatch {

/// From options.input_ranges, else from the samples. invalid_argument for a range of what is no
/// float input, or one that is none.
Status add_input_ranges(Graph& graph, const QuantizeOptions& options);

}  // namespace pbatch
