// What an expansion writes with: standard nodes in the place of one node.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "graph/graph.h"
#include "graph/rewrite.h"
#include "pbatch/status.h"

namespace pbatch {

/// The nodes that will stand for one node. They are written for the opset of ONNX's own
/// domain that the network imports, so that a file made of the result says the same.
class Expansion {
 public:
  using Attributes = std::map<std::string, Attribute>;
  using Values = std::vector<ValueId>;

  /// `node_names` are taken; those of new nodes are added.
  Expansion(Graph& graph, NewConstants& constants, std::unordered_set<std::string>& node_names,
            const Node& node, int onnx_opset)
      : graph_(graph), constants_(constants), names_(node_names), node_(node), opset_(onnx_opset) {}

  const Node& node() const { return node_; }
  int opset() const { return opset_; }
  /// An error unless the node has so many inputs, the required ones among them.
  Status expect_inputs(std::size_t required, std::size_t most) const;
  /// Input i, kNoValue if it is absent.
  ValueId in(std::size_t i) const { return input_or_none(node_, i); }
  bool has(std::size_t i) const { return in(i) != kNoValue; }
  /// Whether output i is asked for.
  bool wants(std::size_t i) const {
    return i < node_.outputs.size() && node_.outputs[i] != kNoValue;
  }
  /// The constant at input i, or null.
  const Tensor* constant(std::size_t i) const { return graph_.constant(in(i)); }
  /// The constant of any value, or null.
  const Tensor* constant_of(ValueId id) const { return graph_.constant(id); }
  /// The rank of a constant or of an input of the network; of other values nothing is certain.
  std::optional<std::size_t> declared_rank(ValueId id) const;
  /// "NAME of OP is ...": what the expansion does not take.
  Status unsupported(const std::string& what, const std::string& remedy) const;
  Status malformed(const std::string& what) const;

  /// Adds a node of ONNX's own domain and returns its first output.
  ValueId op(const char* op_type, Values inputs, Attributes attributes = {});
  /// Adds a node of domain "pbatch" and returns its output.
  ValueId pbatch_op(const char* op_type, Values inputs, Attributes attributes = {});
  /// The same with so many outputs.
  Values ops(const char* op_type, Values inputs, std::size_t outputs, Attributes attributes = {});
  /// Gives output i of the node this value.
  void result(std::size_t i, ValueId value);

  ValueId scalar(float value);
  ValueId scalar(std::int64_t value);
  ValueId ints(const std::vector<std::int64_t>& values);
  ValueId floats(const std::vector<float>& values);
  ValueId tensor(const char* name, Tensor value);

  // Operators whose lists are attributes in old opsets and inputs in new ones.
  ValueId unsqueeze(ValueId x, const std::vector<std::int64_t>& axes);
  ValueId squeeze(ValueId x, const std::vector<std::int64_t>& axes);
  /// `op_type` is ReduceSum, ReduceMean, ReduceMax ...; dimensions are kept.
  ValueId reduce(const char* op_type, ValueId x, const std::vector<std::int64_t>& axes);
  /// Elements begin .. end - 1 along an axis; end may be INT64_MAX.
  ValueId slice(ValueId x, std::int64_t axis, std::int64_t begin, std::int64_t end);
  /// In parts of these sizes.
  Values split(ValueId x, std::int64_t axis, const std::vector<std::int64_t>& sizes);
  /// To `to`, a type of ONNX.
  ValueId cast(ValueId x, DType to);
  ValueId reshape(ValueId x, const std::vector<std::int64_t>& shape);
  ValueId transpose(ValueId x, const std::vector<std::int64_t>& perm);
  /// The last two dimensions swapped, whatever the rank.
  ValueId swapped(ValueId x);
  /// One dimension as a tensor of shape [1].
  ValueId dim(ValueId x, std::int64_t axis);
  /// Rows [..., N] plus a vector [N], if there is one.
  ValueId add_if(ValueId x, ValueId bias);

  /// What was added, in order.
  std::vector<Node> take() { return std::move(nodes_); }

 private:
  std::string unique_name(const char* op_type);

  Graph& graph_;
  NewConstants& constants_;
  std::unordered_set<std::string>& names_;
  const Node& node_;
  int opset_;
  std::vector<Node> nodes_;
};

}  // namespace pbatch
