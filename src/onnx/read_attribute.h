// onnx.AttributeProto -> Attribute.
#pragma once

#include "graph/graph.h"
#include "onnx/import.h"
#include "onnx/onnx.pb.h"

namespace pbatch {

/// Whether it holds a subgraph, which read_model() reads.
bool is_subgraph(const onnx::AttributeProto& proto);

/// Fails for kinds that pbatch does not hold, lists of graphs, sparse tensors and types, and
/// for subgraphs.
Result<Attribute> read_attribute(onnx::AttributeProto& proto, ExternalData* external);

}  // namespace pbatch
