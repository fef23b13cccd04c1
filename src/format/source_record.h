// What a model records of the float network it was made from.
#pragma once

#include <string>

#include "graph/graph.h"
#include "pbatch/status.h"

namespace pbatch {

/// Adds path (relative to the model's folder), size and checksum of `source_path` to the metadata.
Status record_source(Graph& graph, const std::string& source_path, const std::string& model_path);

}  // namespace pbatch
