// One error for all nodes that cannot run.
#pragma once

#include <set>
#include <string>

#include "graph/graph.h"
#include "pbatch/status.h"

namespace pbatch {

/// The error is that of the first node; of the others the operators are named.
class RefusedOperators {
 public:
  void add(const Node& node, const Status& why) {
    if (first_) {
      first_type_ = node.op_type;
      first_ = Status(why).at_node(node.name);
    } else if (node.op_type != first_type_) {
      others_.insert(node.op_type);
    }
  }

  /// Ok if there was none. The others stand in brackets behind the message: "(nor A, B)" where
  /// `link` is "nor".
  Status status(const std::string& link, const std::string& file) const {
    if (first_) return first_;
    std::string also;
    for (const std::string& op_type : others_) also += (also.empty() ? " " : ", ") + op_type;
    if (!also.empty()) also = " (" + link + also + ")";
    return Status(first_.code(), first_.message() + also, first_.remedy())
        .at_node(first_.node())
        .in_file(file);
  }

 private:
  Status first_;
  std::string first_type_;
  std::set<std::string> others_;
};

}  // namespace pbatch
