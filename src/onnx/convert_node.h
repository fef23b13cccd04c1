// A node of ONNX's own domain, written for a later opset.
#pragma once

#include <vector>

#include "onnx/onnx.pb.h"
#include "pbatch/status.h"

namespace pbatch {

/// The newest opset whose changes convert_node() knows.
inline constexpr int kNewestOpset = 23;

/// The nodes that say in opset `to` what `node` says in opset `from` <= to <= kNewestOpset; the
/// node itself where nothing changed, and for other domains. Subgraphs stay as they are.
/// unsupported for an operator that means something else in opset `to`, or changed before opset 13.
Result<std::vector<onnx::NodeProto>> convert_node(const onnx::NodeProto& node, int from, int to);

}  // namespace pbatch
