// onnx.ValueInfoProto -> the declared type of a value.
#pragma once

#include "graph/graph.h"
#include "onnx/onnx.pb.h"
#include "pbatch/status.h"

namespace pbatch {

/// Fills in element type, as which pbatch holds a narrow one (graph/narrow_types.h), and
/// dimensions. `unsupported` for anything but a tensor of an element type that pbatch holds.
Status read_type(const onnx::ValueInfoProto& info, Value* to);

}  // namespace pbatch
