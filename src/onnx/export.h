// Graph -> ONNX file bytes.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "graph/graph.h"
#include "pbatch/status.h"

namespace pbatch {

/// A place in an external data file.
struct ExternalPlace {
  std::string location;  ///< file name, relative to the model
  std::int64_t offset = 0, length = 0;
};

/// Serializes the graph as an ONNX ModelProto (IR version 8). A constant for
/// which `place` returns a place is written as an external tensor, all others
/// inline; constants of subgraphs are inline too, unless they share their storage with
/// one of a graph around, by whose name they are meant then. The result opens in Netron and passes
/// ONNX's checker but for operators of domain "pbatch".
Result<std::string> export_onnx(const Graph& graph,
                                const std::function<std::optional<ExternalPlace>(ValueId)>& place);

}  // namespace pbatch
