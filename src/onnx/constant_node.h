// The value of ONNX's operator Constant.
#pragma once

#include "graph/graph.h"
#include "pbatch/status.h"
#include "pbatch/tensor.h"

namespace pbatch {

/// Precondition: `node` is a Constant of ONNX's domain. Strings are unsupported.
Result<Tensor> constant_node_value(const Node& node);

}  // namespace pbatch
