// A node's attributes in our own terms.
#pragma once

#include <map>
#include <string>

#include "graph/graph.h"
#include "onnxruntime.h"
#include "pbatch/status.h"

namespace pbatch::ort {

/// unsupported, naming the attribute, for subgraphs and tensors, which no claimed operator has.
Result<std::map<std::string, Attribute>> read_attributes(const Ort::ConstNode& node);

}  // namespace pbatch::ort
