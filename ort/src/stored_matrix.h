// The matrix of an operator of the domain pbatch, from its constant inputs.
#pragma once

#include <memory>

#include "graph/graph.h"
#include "layout/bit_matrix.h"
#include "pbatch/status.h"

namespace pbatch::ort {

/// Takes the inputs that describe the matrix (docs/model-file.md) off the node. The matrix is a
/// view of their memory. Precondition: find_bit_operator() knows it. malformed for inputs that do
/// not fit together.
Result<std::shared_ptr<const BitMatrix>> take_matrix(const Graph& graph, Node& node);

}  // namespace pbatch::ort
