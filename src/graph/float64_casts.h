// Casts between integers and float64, in a network that will compute in float32.
#pragma once

#include "graph/graph.h"
#include "pbatch/status.h"

namespace pbatch {

/// Attribute of a Cast or CastLike that had float64 on one side: integers that float32 cannot
/// tell apart are an error there when it runs. Nothing in the network computes in float64.
inline constexpr const char* kFloat64Cast = "float64";

/// Marks them, at every depth. Called before types change.
Status mark_float64_casts(Graph& graph);

}  // namespace pbatch
