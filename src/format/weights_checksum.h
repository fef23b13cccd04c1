// What tells the weights of one model from those of another.
#pragma once

#include <string>

#include "graph/graph.h"

namespace pbatch {

/// CRC-32, in hexadecimal, of the names of all layers and of the shapes, planes and scales of their
/// matrices: the same for a graph in memory, for the model written of it, and for one whose data
/// file was cut. Empty if no node has a matrix.
std::string checksum_of_weights(const Graph& graph);

}  // namespace pbatch
