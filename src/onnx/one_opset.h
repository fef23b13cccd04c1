// One opset for a model whose functions are written for several.
#pragma once

#include "onnx/onnx.pb.h"
#include "pbatch/status.h"

namespace pbatch {

/// Rewrites the nodes of the model and of the functions that it calls for the highest opset of
/// ONNX's own domain among them, subgraphs too, so that all import the same. What later opsets say
/// in another way is written so, from opset 12 on; unsupported where an operator means something
/// else there.
Status use_one_opset(onnx::ModelProto& model);

}  // namespace pbatch
