// What the passes share: questions about uses, and new constants.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_set>
#include <vector>

#include "graph/graph.h"

namespace pbatch {

/// Who uses each value. Made once per pass; node indices stay valid while no
/// node is moved, and rewired values must not be asked about again.
class Uses {
 public:
  explicit Uses(const Graph& graph);
  bool is_output(ValueId id) const { return is_output_[static_cast<std::size_t>(id)]; }
  bool is_used(ValueId id) const;
  /// The one node that uses `id`, once; -1 if there are more uses or it is a graph output.
  std::int32_t sole_consumer(ValueId id) const;

 private:
  std::vector<std::vector<std::int32_t>> consumers_;
  std::vector<bool> is_output_;
};

/// True for operators of ONNX's own domain.
bool is_onnx(const Node& node, const char* op_type);
/// True for operators of domain "pbatch".
bool is_pbatch(const Node& node, const char* op_type);

/// The i-th input, kNoValue if it is absent.
ValueId input_or_none(const Node& node, std::size_t i);
/// The constant at input i if it is float32, else null.
const Tensor* float_constant(const Graph& graph, const Node& node, std::size_t i);

/// Adds constants and values under names that the graph does not use yet. Constants
/// that are there stay as they are: other nodes may share them.
class NewConstants {
 public:
  explicit NewConstants(Graph& graph);
  /// Its name is `base`, or `base` with a number behind it.
  ValueId add(const std::string& base, Tensor tensor);
  /// A value that a node will make, named in the same way.
  ValueId add_value(const std::string& base);

 private:
  std::string unused(const std::string& base);

  Graph& graph_;
  std::unordered_set<std::string> names_;
};

/// Makes `node` an operator of domain "pbatch".
void make_pbatch(Graph& graph, Node& node, const char* op_type);

/// Drops the nodes marked in `dead`; the others keep their order.
void erase_nodes(Graph& graph, const std::vector<bool>& dead);

}  // namespace pbatch
