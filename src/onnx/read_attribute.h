// onnx.AttributeProto -> Attribute.
#pragma once

#include "graph/graph.h"
#include "onnx/import.h"
#include "onnx/onnx.pb.h"

namespace pbatch {

/// Fails for kinds that pbatch does not hold: graphs, sparse tensors, types.
Result<Attribute> read_attribute(onnx::AttributeProto& proto, ExternalData* external);

}  // namespace pbatch
