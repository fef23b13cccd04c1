// The attributes that ONNX's operators have in the opsets that pbatch knows.
#pragma once

#include "graph/graph.h"
#include "pbatch/status.h"

namespace pbatch {

/// Of an operator of ONNX's own domain: `unsupported`, naming the attribute, if one of them is of a
/// later opset than pbatch knows, or of none. It may change what the node computes, so it is not
/// passed over.
Status check_attributes_known(const Node& node);

}  // namespace pbatch
