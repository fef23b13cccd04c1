// Names for nodes: unique, and the file's own where it gives one.
#pragma once

#include <string>
#include <unordered_map>
#include <unordered_set>

#include "onnx/onnx.pb.h"

namespace pbatch {

class NodeNames {
 public:
  /// Takes note of every name that the file gives, so that none is made up twice.
  explicit NodeNames(const onnx::GraphProto& graph);

  /// The node's own name if it has one and no earlier node took it; else one
  /// made of the name or "<OpType>_<index>".
  std::string next(const onnx::NodeProto& node, int index);

 private:
  std::unordered_set<std::string> given_;
  std::unordered_set<std::string> used_;
  std::unordered_map<std::string, int> suffixes_;  // last one tried, by base
};

}  // namespace pbatch
