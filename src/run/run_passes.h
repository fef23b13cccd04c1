// Passes over a network that is about to run. What they make need not be what a file may hold.
#pragma once

#include "graph/graph.h"
#include "pbatch/status.h"

namespace pbatch {

/// "fuse_activations", "fuse_layer_norm" and "fuse_rms_norm", but for those that the environment
/// variable PBATCH_WITHOUT names, separated by commas: for comparisons. Other names are an error.
Status apply_run_passes(Graph& graph);

/// Whether PBATCH_WITHOUT names this pass, one of the graph or "chain_steps" (chains.h), which
/// plans ask for.
Result<bool> is_left_out(const char* pass);

}  // namespace pbatch
