// Names for nodes: unique, and the file's own where it gives one. A node of a subgraph is
// "<node>/<subgraph>/<its own name>", e.g. "if/then/conv".
#pragma once

#include <string>
#include <unordered_map>
#include <unordered_set>

#include "onnx/onnx.pb.h"

namespace pbatch {

class NodeNames {
 public:
  /// Takes note of every name that the graph gives, so that none is made up twice. `scope` stands
  /// before each; `used` holds the names of the graphs around, and takes those of this one.
  NodeNames(const onnx::GraphProto& graph, std::string scope,
            std::unordered_set<std::string>& used);

  /// The scope of a subgraph: of "if" and "then_branch", "if/then/".
  static std::string scope_of(const std::string& node, const std::string& attribute);

  /// The node's own name if it has one and no earlier node took it; else one
  /// made of the name or "<OpType>_<index>".
  std::string next(const onnx::NodeProto& node, int index);

 private:
  /// A model that was written by us has the scope in its names.
  std::string scoped(const std::string& name) const;

  std::string scope_;
  std::unordered_set<std::string> given_;
  std::unordered_set<std::string>& used_;
  std::unordered_map<std::string, int> suffixes_;  // last one tried, by base
};

}  // namespace pbatch
