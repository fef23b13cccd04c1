#include "build_graph.h"

#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

#include "attributes.h"
#include "graph/bit_operators.h"
#include "layer_name.h"
#include "stored_matrix.h"
#include "values.h"

namespace pbatch::ort {
namespace {

bool is_there(const Ort::ConstValueInfo& value) {
  return static_cast<const OrtValueInfo*>(value) != nullptr && !value.GetName().empty();
}

class Builder {
 public:
  Result<Graph> build(const Ort::ConstGraph& from, const Ort::ConstNode& fused) {
    graph_.name = "group";  // ONNX Runtime's name depends on where the file lies, a cache must not
    model_path_ = from.GetModelPath();
    for (const Ort::OperatorSet& set : from.GetOperatorSets()) {
      graph_.opsets[set.domain == "ai.onnx" ? "" : set.domain] = static_cast<int>(set.version);
    }
    for (const Ort::ConstValueInfo& value : fused.GetInputs()) {
      if (!is_there(value)) continue;
      PBATCH_ASSIGN_OR_RETURN(const ValueId id, value_id(value));
      if (graph_.constant(id) == nullptr) graph_.inputs.push_back(id);
    }
    for (const Ort::ConstNode& node : from.GetNodes()) {
      const std::string name = unused_name(layer_name(node));
      if (Status s = add_node(node, name); !s) return std::move(s).at_node(name);
    }
    for (const Ort::ConstValueInfo& value : fused.GetOutputs()) {
      if (!is_there(value)) continue;
      PBATCH_ASSIGN_OR_RETURN(const ValueId id, value_id(value));
      graph_.outputs.push_back(id);
    }
    PBATCH_RETURN_IF_ERROR(sort_topologically(graph_));
    return std::move(graph_);
  }

 private:
  std::string unused_name(const std::string& wanted) {
    std::string name = wanted;
    for (int n = 2; !names_.insert(name).second; ++n) name = wanted + "_" + std::to_string(n);
    return name;
  }

  // The value of that name, made at its first mention. Of its dimensions only the number is taken:
  // ONNX Runtime checks the others, and may have been told wrong ones.
  Result<ValueId> value_id(const Ort::ConstValueInfo& from) {
    const std::string name = from.GetName();
    if (const auto it = ids_.find(name); it != ids_.end()) return it->second;
    Value value;
    value.name = name;
    PBATCH_ASSIGN_OR_RETURN(value.constant, constant_of(from, model_path_));
    if (value.constant) {
      value.dtype = value.constant->dtype();
      value.dims.emplace();
      for (const std::int64_t d : value.constant->shape()) value.dims->push_back({d, {}});
    } else if (const std::optional<TensorType> type = type_of(from)) {
      value.dtype = type->dtype;
      if (type->rank > 0) value.dims.emplace(type->rank);
    }
    const ValueId id = graph_.add_value(std::move(value));
    ids_[name] = id;
    return id;
  }

  Status add_node(const Ort::ConstNode& from, const std::string& name) {
    Node node;
    node.name = name;
    node.op_type = from.GetOperatorType();
    node.domain = from.GetDomain();
    node.opset =
        graph_.opsets.contains(node.domain) ? graph_.opsets[node.domain] : from.GetSinceVersion();
    PBATCH_ASSIGN_OR_RETURN(node.attributes, read_attributes(from));
    for (const Ort::ConstValueInfo& value : from.GetInputs()) {
      ValueId id = kNoValue;
      if (is_there(value)) {
        PBATCH_ASSIGN_OR_RETURN(id, value_id(value));
      }
      node.inputs.push_back(id);
    }
    for (const Ort::ConstValueInfo& value : from.GetOutputs()) {
      ValueId id = kNoValue;
      if (is_there(value)) {
        PBATCH_ASSIGN_OR_RETURN(id, value_id(value));
      }
      node.outputs.push_back(id);
    }
    if (node.domain == kPbatchDomain && find_bit_operator(node.op_type) != nullptr) {
      PBATCH_ASSIGN_OR_RETURN(node.matrix, matrix_of(node));
    }
    graph_.nodes.push_back(std::move(node));
    return Status::ok();
  }

  // Layers that share a matrix share its first plane.
  Result<std::shared_ptr<const BitMatrix>> matrix_of(Node& node) {
    PBATCH_ASSIGN_OR_RETURN(std::shared_ptr<const BitMatrix> matrix, take_matrix(graph_, node));
    const auto [it, added] = matrices_.try_emplace(matrix->planes.front().data(), matrix);
    return it->second;
  }

  Graph graph_;
  std::string model_path_;
  std::unordered_map<std::string, ValueId> ids_;
  std::set<std::string> names_;
  std::unordered_map<const std::uint8_t*, std::shared_ptr<const BitMatrix>> matrices_;
};

}  // namespace

Result<Graph> build_graph(const Ort::ConstGraph& graph, const Ort::ConstNode& fused) {
  return Builder().build(graph, fused);
}

}  // namespace pbatch::ort
