// The float passes in the order in which they are applied.
#pragma once

#include "graph/graph.h"
#include "pbatch/status.h"

namespace pbatch {

/// What happens to every float network before it is run or quantized: half
/// precision becomes float32, constants are folded, fused and quantized operators become the
/// standard ones that they stand for, scales and batch normalizations fold into the layer before
/// them, biases and Relu fuse, what nothing needs goes.
Status simplify(Graph& graph);

/// The same before quantization, which optional inputs outlive: those stay inputs that are no
/// layer's parameters, if the network runs like that; all others become constants.
Status simplify_to_quantize(Graph& graph);

}  // namespace pbatch
