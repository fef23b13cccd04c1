#include "onnx/read_model.h"

#include <cstdint>
#include <limits>
#include <set>
#include <unordered_map>
#include <utility>

#include "onnx/constant_node.h"
#include "onnx/node_names.h"
#include "onnx/read_attribute.h"
#include "onnx/read_tensor.h"
#include "onnx/read_type.h"

namespace pbatch {
namespace {

constexpr int kOldestOpset = 7;
const char* const kExportAgain = "the file is damaged; export the model again";

Status malformed(const std::string& what) {
  return Status(ErrorCode::malformed, what, kExportAgain);
}

// ONNX gives its own domain two names.
std::string canonical_domain(const std::string& domain) {
  return domain == "ai.onnx" ? std::string() : domain;
}

class ModelReader {
 public:
  ModelReader(onnx::ModelProto& model, ExternalData* external)
      : model_(model), proto_(*model.mutable_graph()), external_(external) {}

  Result<Graph> read() {
    PBATCH_RETURN_IF_ERROR(read_header());
    PBATCH_RETURN_IF_ERROR(read_initializers());
    PBATCH_RETURN_IF_ERROR(read_inputs());
    PBATCH_RETURN_IF_ERROR(read_nodes());
    PBATCH_RETURN_IF_ERROR(read_outputs());
    PBATCH_RETURN_IF_ERROR(read_declared_types());
    PBATCH_RETURN_IF_ERROR(sort_topologically(graph_));
    return std::move(graph_);
  }

 private:
  Value& value(ValueId id) { return graph_.values[static_cast<std::size_t>(id)]; }

  // The value of that name, made at its first mention.
  ValueId value_id(const std::string& name) {
    const auto [it, added] = ids_.try_emplace(name, kNoValue);
    if (added) {
      Value made;
      made.name = name;
      it->second = graph_.add_value(std::move(made));
    }
    return it->second;
  }

  Status read_header() {
    graph_.name = proto_.name();
    for (const onnx::StringStringEntryProto& entry : model_.metadata_props()) {
      graph_.metadata[entry.key()] = entry.value();
    }
    if (model_.opset_import_size() == 0) {
      return malformed("the model does not say which operator set (opset) it uses");
    }
    for (const onnx::OperatorSetIdProto& entry : model_.opset_import()) {
      const std::string domain = canonical_domain(entry.domain());
      if (entry.version() < 1 || entry.version() > std::numeric_limits<int>::max()) {
        return malformed("opset " + std::to_string(entry.version()) + " of domain '" + domain +
                         "' cannot exist");
      }
      const int version = static_cast<int>(entry.version());
      if (domain.empty() && version < kOldestOpset) {
        return Status(
            ErrorCode::unsupported,
            "the model uses opset " + std::to_string(version) + "; pbatch reads 7 and later",
            "convert it with onnx.version_converter");
      }
      if (!graph_.opsets.emplace(domain, version).second && graph_.opsets[domain] != version) {
        return malformed("the model imports two versions of the domain '" + domain + "'");
      }
    }
    for (const onnx::FunctionProto& function : model_.functions()) {
      functions_.emplace(canonical_domain(function.domain()), function.name());
    }
    return Status::ok();
  }

  Status read_initializers() {
    if (proto_.sparse_initializer_size() != 0) {
      return Status(ErrorCode::unsupported,
                    "tensor '" + proto_.sparse_initializer(0).values().name() + "' is sparse",
                    "export it as a dense tensor");
    }
    for (onnx::TensorProto& tensor : *proto_.mutable_initializer()) {
      if (tensor.name().empty()) return malformed("an initializer has no name");
      const ValueId id = value_id(tensor.name());
      if (value(id).constant) {
        return malformed("initializer '" + tensor.name() + "' is there twice");
      }
      PBATCH_ASSIGN_OR_RETURN(Tensor constant, read_tensor(tensor, tensor.name(), external_));
      Value& made = value(id);
      made.dtype = constant.dtype();
      made.dims.emplace();
      for (const std::int64_t d : tensor.dims()) made.dims->push_back({d, {}});
      made.constant = std::move(constant);
    }
    return Status::ok();
  }

  Status read_inputs() {
    std::set<ValueId> seen;
    for (const onnx::ValueInfoProto& info : proto_.input()) {
      if (info.name().empty()) return malformed("a graph input has no name");
      const ValueId id = value_id(info.name());
      if (!seen.insert(id).second)
        return malformed("graph input '" + info.name() + "' is there twice");
      // An input with an initializer is a constant that old files list twice.
      if (value(id).constant) continue;
      PBATCH_RETURN_IF_ERROR(read_type(info, &value(id)));
      graph_.inputs.push_back(id);
      made_.insert(id);
    }
    return Status::ok();
  }

  Status read_nodes() {
    NodeNames names(proto_);
    for (int i = 0; i < proto_.node_size(); ++i) {
      onnx::NodeProto& node = *proto_.mutable_node(i);
      const std::string name = names.next(node, i);
      if (Status s = read_node(node, name); !s) return std::move(s).at_node(name);
    }
    return Status::ok();
  }

  Status read_node(onnx::NodeProto& proto, const std::string& name) {
    Node node;
    node.name = name;
    node.op_type = proto.op_type();
    node.domain = canonical_domain(proto.domain());
    if (node.op_type.empty()) return malformed("a node without an operator");
    if (functions_.count({node.domain, node.op_type}) != 0) {
      return Status(ErrorCode::unsupported,
                    "operator " + node.op_type + " is a function of the model itself",
                    "inline the functions (onnx.inliner) and try again");
    }
    const auto opset = graph_.opsets.find(node.domain);
    if (opset == graph_.opsets.end()) {
      return malformed("operator " + node.op_type + " is of domain '" + node.domain +
                       "', whose version the model does not say");
    }
    node.opset = opset->second;
    for (onnx::AttributeProto& attribute : *proto.mutable_attribute()) {
      Result<Attribute> read = read_attribute(attribute, external_);
      if (!read) return of_operator(read.status(), node);
      if (!node.attributes.emplace(attribute.name(), std::move(*read)).second) {
        return malformed("attribute '" + attribute.name() + "' is there twice");
      }
    }
    for (const std::string& input : proto.input()) {
      node.inputs.push_back(input.empty() ? kNoValue : value_id(input));
    }
    bool useful = false;
    for (const std::string& output : proto.output()) {
      if (output.empty()) {
        node.outputs.push_back(kNoValue);
        continue;
      }
      const ValueId id = value_id(output);
      if (value(id).constant || !made_.insert(id).second) {
        return malformed("value '" + output + "' is made more than once");
      }
      node.outputs.push_back(id);
      useful = true;
    }
    if (!useful) return malformed("operator " + node.op_type + " has no outputs");
    if (node.op_type == "Constant" && node.domain.empty()) return take_constant(node);
    graph_.nodes.push_back(std::move(node));
    return Status::ok();
  }

  static Status of_operator(const Status& status, const Node& node) {
    return Status(status.code(), "operator " + node.op_type + ": " + status.message(),
                  status.remedy());
  }

  Status take_constant(const Node& node) {
    PBATCH_ASSIGN_OR_RETURN(Tensor tensor, constant_node_value(node));
    Value& made = value(node.outputs[0]);
    made.dtype = tensor.dtype();
    made.dims.emplace();
    for (const std::int64_t d : tensor.shape()) made.dims->push_back({d, {}});
    made.constant = std::move(tensor);
    return Status::ok();
  }

  Status read_outputs() {
    std::set<ValueId> seen;
    if (proto_.output_size() == 0) return malformed("the network has no outputs");
    for (const onnx::ValueInfoProto& info : proto_.output()) {
      const auto it = ids_.find(info.name());
      if (it == ids_.end())
        return malformed("nothing makes the graph output '" + info.name() + "'");
      if (!seen.insert(it->second).second) {
        return malformed("graph output '" + info.name() + "' is there twice");
      }
      graph_.outputs.push_back(it->second);
      // What the network computes is known without the declaration, which old exporters omit.
      const bool declared = info.has_type() && (!info.type().has_tensor_type() ||
                                                info.type().tensor_type().elem_type() != 0);
      Value& output = value(it->second);
      if (declared && !output.constant) PBATCH_RETURN_IF_ERROR(read_type(info, &output));
    }
    return Status::ok();
  }

  // Types of inner values are hints: those of a kind pbatch lacks are left out,
  // since the operator that makes them is refused by name later.
  Status read_declared_types() {
    for (const onnx::ValueInfoProto& info : proto_.value_info()) {
      const auto it = ids_.find(info.name());
      if (it == ids_.end() || value(it->second).constant || value(it->second).dims) continue;
      Value typed = value(it->second);
      const Status status = read_type(info, &typed);
      if (status.code() == ErrorCode::unsupported) continue;
      PBATCH_RETURN_IF_ERROR(status);
      value(it->second) = std::move(typed);
    }
    return Status::ok();
  }

  onnx::ModelProto& model_;
  onnx::GraphProto& proto_;
  ExternalData* external_;
  Graph graph_;
  std::unordered_map<std::string, ValueId> ids_;
  std::set<ValueId> made_;  // graph inputs and what nodes make
  std::set<std::pair<std::string, std::string>> functions_;
};

}  // namespace

Result<Graph> read_model(onnx::ModelProto& model, const std::string& path, ExternalData* external) {
  if (!model.has_graph()) return malformed("the model has no graph");
  PBATCH_ASSIGN_OR_RETURN(Graph graph, ModelReader(model, external).read());
  graph.source_file = path;
  return graph;
}

}  // namespace pbatch
