#include "onnx/read_model.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <set>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "graph/narrow_types.h"
#include "graph/onnx_dtype.h"
#include "graph/subgraphs.h"
#include "onnx/constant_node.h"
#include "onnx/domain.h"
#include "onnx/inline_functions.h"
#include "onnx/node_names.h"
#include "onnx/read_attribute.h"
#include "onnx/read_tensor.h"
#include "onnx/read_type.h"

namespace pbatch {
namespace {

constexpr int kOldestOpset = 7;
constexpr int kDeepestSubgraph = 16;
const char* const kExportAgain = "the file is damaged; export the model again";

Status malformed(const std::string& what) {
  return Status(ErrorCode::malformed, what, kExportAgain);
}

bool is_declared(const onnx::ValueInfoProto& info) {
  if (info.type().value_case() == onnx::TypeProto::VALUE_NOT_SET) return false;
  return !info.type().has_tensor_type() || info.type().tensor_type().elem_type() != 0;
}

// A sequence of maps is what ZipMap makes, which stands for the array that it reads.
bool is_map(const onnx::ValueInfoProto& info) {
  return info.type().has_sequence_type() && info.type().sequence_type().elem_type().has_map_type();
}

// What all graphs of a model share.
struct ModelContext {
  std::map<std::string, int> opsets;  // domain -> version
  ExternalData* external = nullptr;
  // Files before IR version 4 list constants as inputs, since all initializers must be there.
  bool inputs_may_have_values = true;
  std::unordered_set<std::string> node_names;
};

Status read_opsets(const onnx::ModelProto& model, ModelContext& context) {
  if (model.opset_import_size() == 0) {
    return malformed("the model does not say which operator set (opset) it uses");
  }
  for (const onnx::OperatorSetIdProto& entry : model.opset_import()) {
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
    const auto [it, added] = context.opsets.emplace(domain, version);
    if (!added && it->second != version) {
      return malformed("the model imports two versions of the domain '" + domain + "'");
    }
  }
  return Status::ok();
}

// A branch may be taken at run time only, so what follows an If must fit both. A constant has its
// type whatever is declared; of other outputs only the declaration is known.
Status check_branch_types(const onnx::NodeProto& proto, const Node& node) {
  constexpr const char* kBranches[] = {"then_branch", "else_branch"};
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    std::int64_t types[2] = {};
    for (const onnx::AttributeProto& attribute : proto.attribute()) {
      for (int b = 0; b < 2; ++b) {
        if (attribute.name() != kBranches[b] || !is_subgraph(attribute)) continue;
        const Graph& branch = *node.subgraphs.at(kBranches[b]);
        const Tensor* const constant = branch.constant(branch.outputs[i]);
        const onnx::TypeProto& declared = attribute.g().output(static_cast<int>(i)).type();
        types[b] = constant != nullptr ? dtype_to_onnx(constant->dtype())
                                       : held_code(declared.tensor_type().elem_type());
      }
    }
    if (types[0] == types[1] || types[0] == 0 || types[1] == 0) continue;
    return malformed("output " + std::to_string(i) + " of If is " + onnx_type_name(types[0]) +
                     " in one branch and " + onnx_type_name(types[1]) + " in the other");
  }
  return Status::ok();
}

class GraphReader {
 public:
  // `depth`: 0 for the model's own graph; `around`: the reader of the graph that it stands in, if
  // any.
  GraphReader(onnx::GraphProto& proto, const std::string& scope, int depth, ModelContext& context,
              const GraphReader* around)
      : proto_(proto),
        depth_(depth),
        context_(context),
        around_(around),
        names_(proto, scope, context.node_names) {}

  /// All but the order of the nodes, which needs captured() to be inputs.
  Status read() {
    graph_.name = proto_.name();
    PBATCH_RETURN_IF_ERROR(read_initializers());
    PBATCH_RETURN_IF_ERROR(read_inputs());
    PBATCH_RETURN_IF_ERROR(read_nodes());
    PBATCH_RETURN_IF_ERROR(read_outputs());
    return read_declared_types();
  }

  Graph& graph() { return graph_; }

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

  // The value of that name of the graph around. One that is made here under the same name hides it
  // from the nodes here, so it gets another name.
  ValueId capture(const std::string& name) {
    const auto known = ids_.find(name);
    if (known == ids_.end()) return value_id(name);
    if (!value(known->second).constant && made_.count(known->second) == 0) return known->second;
    std::string free = name + "_outside";
    while (ids_.count(free) != 0) free += "_";
    return value_id(free);
  }

  /// Names that nothing in the graph makes, in the order of their mention.
  std::vector<std::string> captured() const {
    std::vector<std::string> names;
    for (std::size_t v = 0; v < graph_.values.size(); ++v) {
      const Value& value = graph_.values[v];
      if (!value.constant && made_.count(static_cast<ValueId>(v)) == 0) names.push_back(value.name);
    }
    return names;
  }

 private:
  using Subgraphs = std::map<std::string, std::unique_ptr<GraphReader>>;

  Value& value(ValueId id) { return graph_.values[static_cast<std::size_t>(id)]; }

  // The narrow type of the value of that name; null where it is of another.
  const NarrowType* narrow_type_of(const std::string& name) const {
    if (const auto it = narrow_.find(name); it != narrow_.end()) return it->second;
    const auto known = ids_.find(name);
    const bool own = known != ids_.end() &&
                     (graph_.constant(known->second) != nullptr || made_.count(known->second) != 0);
    return own || around_ == nullptr ? nullptr : around_->narrow_type_of(name);
  }

  // Results are of a narrow type where a node says so, or moves elements that are.
  void keep_narrow_result(const onnx::NodeProto& proto, const Node& node) {
    static const std::set<std::string> movers = {
        "Concat", "Expand", "Flatten", "Gather", "Identity",  "Pad",      "Reshape",
        "Slice",  "Split",  "Squeeze", "Tile",   "Transpose", "Unsqueeze"};
    if (!node.domain.empty()) return;
    const char* const attribute = node.op_type == "Cast"             ? "to"
                                  : node.op_type == "QuantizeLinear" ? "output_dtype"
                                                                     : "";
    const NarrowType* type = nullptr;
    if (const auto said = node.attributes.find(attribute); said != node.attributes.end()) {
      const auto* const code = std::get_if<std::int64_t>(&said->second);
      if (code != nullptr) type = narrow_type(*code);
    } else if (movers.count(node.op_type) != 0 && proto.input_size() != 0) {
      type = narrow_type_of(proto.input(0));
    }
    if (type == nullptr) return;
    for (const std::string& output : proto.output()) narrow_[output] = type;
  }

  // Operators whose result has the type of an input are told it, since a constant of a narrow type
  // is held as a wider one.
  void tell_narrow_type(const onnx::NodeProto& proto, Node& node) const {
    const int place = node.op_type == "QuantizeLinear" ? 2 : node.op_type == "CastLike" ? 1 : -1;
    if (place < 0 || !node.domain.empty() || proto.input_size() <= place) return;
    const NarrowType* const type = narrow_type_of(proto.input(place));
    if (type == nullptr) return;
    if (node.op_type == "CastLike") {
      node.op_type = "Cast";
      node.inputs.resize(1);
      node.attributes["to"] = std::int64_t{type->code};
    } else {
      node.attributes["output_dtype"] = std::int64_t{type->code};
    }
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
      PBATCH_ASSIGN_OR_RETURN(Tensor constant,
                              read_tensor(tensor, tensor.name(), context_.external));
      keep_narrow_type(tensor.name(), tensor.data_type());
      Value& made = value(id);
      made.dtype = constant.dtype();
      made.dims.emplace();
      for (const std::int64_t d : tensor.dims()) made.dims->push_back({d, {}});
      made.constant = std::move(constant);
    }
    return Status::ok();
  }

  void keep_narrow_type(const std::string& name, std::int64_t code) {
    if (const NarrowType* const type = narrow_type(code)) narrow_[name] = type;
  }

  Status read_inputs() {
    std::set<ValueId> seen;
    for (const onnx::ValueInfoProto& info : proto_.input()) {
      if (info.name().empty()) return malformed("a graph input has no name");
      const ValueId id = value_id(info.name());
      if (!seen.insert(id).second)
        return malformed("graph input '" + info.name() + "' is there twice");
      if (value(id).constant) {
        if (depth_ == 0 && context_.inputs_may_have_values) take_fallback(info, id);
        continue;
      }
      // The type of a subgraph's input is that of what its node hands in.
      if (depth_ == 0 || is_declared(info)) PBATCH_RETURN_IF_ERROR(read_type(info, &value(id)));
      keep_narrow_type(info.name(), info.type().tensor_type().elem_type());
      graph_.inputs.push_back(id);
      made_.insert(id);
    }
    return Status::ok();
  }

  // An input with an initializer may be fed, or not. Its type is that of the initializer; a
  // declared shape that this contradicts is wrong.
  void take_fallback(const onnx::ValueInfoProto& info, ValueId id) {
    Value& input = value(id);
    Value declared = input;
    const Shape& shape = input.constant->shape();
    const auto fits = [&](const std::vector<Dim>& dims) {
      return std::equal(dims.begin(), dims.end(), shape.begin(), shape.end(),
                        [](const Dim& d, std::int64_t n) { return d.value < 0 || d.value == n; });
    };
    if (is_declared(info) && read_type(info, &declared) && declared.dtype == input.dtype &&
        declared.dims && fits(*declared.dims)) {
      input.dims = declared.dims;
    }
    input.fallback = std::exchange(input.constant, std::nullopt);
    graph_.inputs.push_back(id);
    made_.insert(id);
  }

  Status read_nodes() {
    for (int i = 0; i < proto_.node_size(); ++i) {
      onnx::NodeProto& node = *proto_.mutable_node(i);
      const std::string name = names_.next(node, i);
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
    const auto opset = context_.opsets.find(node.domain);
    if (opset == context_.opsets.end()) {
      return malformed("operator " + node.op_type + " is of domain '" + node.domain +
                       "', whose version the model does not say");
    }
    node.opset = opset->second;
    Subgraphs subgraphs;
    for (onnx::AttributeProto& attribute : *proto.mutable_attribute()) {
      // The type of an optional that holds nothing; of others it is that of what they hold.
      if (node.op_type == "Optional" && attribute.name() == "type") continue;
      if (is_subgraph(attribute)) {
        PBATCH_RETURN_IF_ERROR(read_subgraph(node, attribute, subgraphs));
        continue;
      }
      Result<Attribute> read = read_attribute(attribute, context_.external);
      if (!read) return of_operator(read.status(), node);
      if (!node.attributes.emplace(attribute.name(), std::move(*read)).second) {
        return malformed("attribute '" + attribute.name() + "' is there twice");
      }
    }
    for (const std::string& input : proto.input()) {
      node.inputs.push_back(input.empty() ? kNoValue : value_id(input));
    }
    PBATCH_RETURN_IF_ERROR(take_subgraphs(node, subgraphs));
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
    if (node.op_type == "Constant" && node.domain.empty()) {
      for (const onnx::AttributeProto& a : proto.attribute()) {
        keep_narrow_type(proto.output(0), a.t().data_type());
      }
      return take_constant(node);
    }
    tell_narrow_type(proto, node);
    keep_narrow_result(proto, node);
    PBATCH_RETURN_IF_ERROR(check_control_flow(node));
    if (node.op_type == "If" && node.domain.empty()) {
      PBATCH_RETURN_IF_ERROR(check_branch_types(proto, node));
    }
    graph_.nodes.push_back(std::move(node));
    return Status::ok();
  }

  Status read_subgraph(const Node& node, onnx::AttributeProto& attribute, Subgraphs& to) {
    if (depth_ == kDeepestSubgraph) {
      return Status(ErrorCode::unsupported,
                    "subgraphs are nested more than " + std::to_string(kDeepestSubgraph) + " deep",
                    "export the model without so many of them");
    }
    auto reader = std::make_unique<GraphReader>(*attribute.mutable_g(),
                                                NodeNames::scope_of(node.name, attribute.name()),
                                                depth_ + 1, context_, this);
    if (Status s = reader->read(); !s) {
      if (!s.node().empty()) return s;
      return Status(s.code(), "subgraph '" + attribute.name() + "': " + s.message(), s.remedy());
    }
    if (!to.emplace(attribute.name(), std::move(reader)).second) {
      return malformed("attribute '" + attribute.name() + "' is there twice");
    }
    return Status::ok();
  }

  // What any subgraph takes from this graph is an input of the node and of all its subgraphs.
  Status take_subgraphs(Node& node, Subgraphs& subgraphs) {
    std::vector<std::string> captured;
    std::set<std::string> seen;
    for (const auto& [name, reader] : subgraphs) {
      for (std::string& value : reader->captured()) {
        if (seen.insert(value).second) captured.push_back(std::move(value));
      }
    }
    for (const std::string& name : captured) node.inputs.push_back(value_id(name));
    node.captures = captured.size();
    for (const auto& [name, reader] : subgraphs) {
      Graph& inner = reader->graph();
      for (const std::string& value : captured) inner.inputs.push_back(reader->capture(value));
      PBATCH_RETURN_IF_ERROR(sort_topologically(inner));
      node.subgraphs[name] = std::make_shared<const Graph>(std::move(inner));
    }
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
    if (proto_.output_size() == 0) {
      return malformed(depth_ == 0 ? "the network has no outputs" : "it has no outputs");
    }
    for (const onnx::ValueInfoProto& info : proto_.output()) {
      const auto it = ids_.find(info.name());
      // A subgraph may not hand on a value of the graph around it without an operator.
      if (it == ids_.end() ||
          (depth_ > 0 && !value(it->second).constant && made_.count(it->second) == 0)) {
        return malformed("nothing makes the graph output '" + info.name() + "'");
      }
      if (!seen.insert(it->second).second && depth_ == 0) {
        return malformed("graph output '" + info.name() + "' is there twice");
      }
      graph_.outputs.push_back(it->second);
      // What the network computes is known without the declaration, which old exporters omit.
      Value& output = value(it->second);
      if (is_declared(info) && !output.constant && !is_map(info)) {
        PBATCH_RETURN_IF_ERROR(read_type(info, &output));
      }
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

  onnx::GraphProto& proto_;
  int depth_;
  ModelContext& context_;
  const GraphReader* around_;
  NodeNames names_;
  Graph graph_;
  std::unordered_map<std::string, ValueId> ids_;
  std::set<ValueId> made_;                                     // graph inputs and what nodes make
  std::unordered_map<std::string, const NarrowType*> narrow_;  // by name
};

}  // namespace

Result<Graph> read_model(onnx::ModelProto& model, const std::string& path, ExternalData* external) {
  if (!model.has_graph()) return malformed("the model has no graph");
  ModelContext context;
  context.external = external;
  context.inputs_may_have_values = model.ir_version() >= 4;
  PBATCH_RETURN_IF_ERROR(inline_functions(model));
  PBATCH_RETURN_IF_ERROR(read_opsets(model, context));
  GraphReader reader(*model.mutable_graph(), "", 0, context, nullptr);
  PBATCH_RETURN_IF_ERROR(reader.read());
  Graph graph = std::move(reader.graph());
  PBATCH_RETURN_IF_ERROR(sort_topologically(graph));
  for (Node& node : graph.nodes) tell_subgraphs(graph, node);
  graph.opsets = context.opsets;
  for (const onnx::StringStringEntryProto& entry : model.metadata_props()) {
    graph.metadata[entry.key()] = entry.value();
  }
  graph.source_file = path;
  return graph;
}

}  // namespace pbatch
