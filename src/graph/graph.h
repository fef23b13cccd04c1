// The network in memory: values, nodes, and what the file said of both.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "pbatch/status.h"
#include "pbatch/tensor.h"

namespace pbatch {

struct BitMatrix;

/// The domain of our own operators, and its version.
inline constexpr const char* kPbatchDomain = "pbatch";
inline constexpr int kPbatchOpset = 1;

/// Index into Graph::values; kNoValue stands for an absent optional input.
using ValueId = std::int32_t;
inline constexpr ValueId kNoValue = -1;

/// A dimension of a declared type: a number, or free (-1) with a name perhaps.
struct Dim {
  std::int64_t value = -1;
  std::string symbol;
};

/// One edge of the graph.
struct Value {
  std::string name;
  DType dtype = DType::f32;
  std::optional<std::vector<Dim>> dims;  ///< declared shape; none if the file gives none
  std::optional<Tensor> constant;        ///< an initializer's or a folded value
  std::optional<Tensor> fallback;        ///< of a graph input: its value where none is fed
};

using Attribute = std::variant<std::int64_t, float, std::string, Tensor, std::vector<std::int64_t>,
                               std::vector<float>, std::vector<std::string>>;

struct Graph;

/// One operator call. Defaults of absent attributes are the operator's business.
struct Node {
  std::string name;  ///< unique in the graph; made up when the file gives none
  std::string op_type;
  std::string domain;  ///< "" for ONNX's own operators, "pbatch" for ours
  int opset = 0;       ///< version of `domain` that the model imports
  std::vector<ValueId> inputs, outputs;
  std::map<std::string, Attribute> attributes;
  std::shared_ptr<const BitMatrix> matrix;  ///< weights of a pbatch operator; else null
  /// The networks inside a node of control flow, by attribute name; not among `attributes`.
  std::map<std::string, std::shared_ptr<const Graph>> subgraphs;
  /// So many of the last inputs are values that the subgraphs use of the graph around
  /// them. They are also the last inputs of every subgraph, in the same order.
  std::size_t captures = 0;

  /// The attribute, or `fallback` if it is absent; an error if it has another type.
  Result<std::int64_t> int_attr(const std::string& name, std::int64_t fallback) const;
  Result<float> float_attr(const std::string& name, float fallback) const;
  Result<std::string> string_attr(const std::string& name, const std::string& fallback) const;
  Result<std::vector<std::int64_t>> ints_attr(const std::string& name,
                                              std::vector<std::int64_t> fallback) const;
  bool has_attr(const std::string& key) const { return attributes.count(key) != 0; }
};

/// A network. Nodes stand in an order in which they can run. Names of values are unique in
/// their graph, those of nodes over all subgraphs too. `opsets` and `metadata` of a
/// subgraph mean nothing.
struct Graph {
  std::string name;
  std::string source_file;                      ///< path it was read from, for messages
  std::vector<std::string> files;               ///< all files it was read from, that one among them
  std::map<std::string, int> opsets;            ///< domain -> version
  std::map<std::string, std::string> metadata;  ///< the model's metadata_props
  std::vector<Value> values;
  std::vector<Node> nodes;
  std::vector<ValueId> inputs, outputs;  ///< inputs exclude initializers

  ValueId add_value(Value value);
  const Tensor* constant(ValueId id) const;  ///< null unless `id` is a constant
  /// Consumers of each value, by node index, once per use; index = ValueId.
  std::vector<std::vector<std::int32_t>> consumers() const;
  /// Node that makes each value, -1 for inputs and constants; index = ValueId.
  std::vector<std::int32_t> producers() const;
};

/// Puts nodes into an order in which they can run. Fails, naming a node, if the
/// graph has a cycle, a value made twice or a value that nothing makes.
Status sort_topologically(Graph& graph);

}  // namespace pbatch
