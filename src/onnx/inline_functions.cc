#include "onnx/inline_functions.h"

#include <algorithm>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "onnx/domain.h"
#include "onnx/function_table.h"
#include "onnx/one_opset.h"

namespace pbatch {
namespace {

constexpr int kDeepestCall = 64;
// What bodies may add to a model: calls of calls of calls would fill any memory.
constexpr std::size_t kMostNodes = std::size_t{1} << 18;
constexpr std::size_t kMostTimes = 16;                      // as large as the model was
constexpr std::size_t kBytesForAll = std::size_t{1} << 26;  // and so much for any

using ValueNames = std::unordered_map<std::string, std::string>;  // in the body -> in the graph

Status malformed_call(const onnx::NodeProto& call, const std::string& what) {
  return Status(ErrorCode::malformed, "function '" + call.op_type() + "' " + what,
                "the file is damaged; export the model again")
      .at_node(call.name());
}

bool uses_domain(const google::protobuf::RepeatedPtrField<onnx::NodeProto>& nodes,
                 const std::string& domain) {
  return std::any_of(nodes.begin(), nodes.end(), [&](const onnx::NodeProto& node) {
    if (canonical_domain(node.domain()) == domain) return true;
    return std::any_of(node.attribute().begin(), node.attribute().end(),
                       [&](const onnx::AttributeProto& attribute) {
                         return uses_domain(attribute.g().node(), domain);
                       });
  });
}

// Names of values of a whole model.
class UsedNames {
 public:
  void note(const std::string& name) { used_.insert(name); }
  std::string unused(const std::string& base) {
    std::string name = base;
    if (used_.insert(name).second) return name;
    int& suffix = suffixes_[base];
    do {
      name = base + "_" + std::to_string(++suffix + 1);
    } while (!used_.insert(name).second);
    return name;
  }

 private:
  std::unordered_set<std::string> used_;
  std::unordered_map<std::string, int> suffixes_;  // last one tried, by base
};

// One call, which has a name: how the names and attributes of its body become those of the graph.
class BodyWriter {
 public:
  BodyWriter(const onnx::NodeProto& call, const ModelFunction& function, UsedNames& used)
      : call_(call), function_(function), prefix_(call.name() + "/"), used_(used) {}

  /// The nodes that stand for the call.
  Result<std::vector<onnx::NodeProto>> write() {
    const onnx::FunctionProto& body = *function_.proto;
    if (call_.input_size() > body.input_size() || call_.output_size() > body.output_size()) {
      return malformed_call(call_, "takes " + std::to_string(body.input_size()) +
                                       " inputs and makes " + std::to_string(body.output_size()) +
                                       " outputs, not " + std::to_string(call_.input_size()) +
                                       " and " + std::to_string(call_.output_size()));
    }
    ValueNames names;
    for (int i = 0; i < body.input_size(); ++i) {
      names[body.input(i)] = i < call_.input_size() ? call_.input(i) : std::string();
    }
    // An output that an input or another output gives is a copy.
    std::vector<std::pair<std::string, std::string>> copies;
    for (int i = 0; i < call_.output_size(); ++i) {
      if (call_.output(i).empty()) continue;
      if (!names.emplace(body.output(i), call_.output(i)).second) {
        copies.emplace_back(body.output(i), call_.output(i));
      }
    }
    for (const onnx::NodeProto& node : body.node()) {
      for (const std::string& output : node.output()) define(names, output);
    }
    std::vector<onnx::NodeProto> nodes;
    for (const onnx::NodeProto& node : body.node()) {
      const std::string name =
          node.name().empty() ? node.op_type() + "_" + std::to_string(nodes.size()) : node.name();
      nodes.push_back(node);
      PBATCH_RETURN_IF_ERROR(rewrite(nodes.back(), names));
      nodes.back().set_name(prefix_ + name);
    }
    for (const auto& [from, to] : copies) {
      onnx::NodeProto& copy = nodes.emplace_back();
      copy.set_op_type("Identity");
      copy.set_name(prefix_ + "output");
      copy.add_input(names[from]);
      copy.add_output(to);
    }
    return nodes;
  }

 private:
  void define(ValueNames& names, const std::string& name) {
    if (!name.empty() && names.count(name) == 0) names[name] = used_.unused(prefix_ + name);
  }

  Result<std::string> lookup(const ValueNames& names, const std::string& name) const {
    if (name.empty()) return name;
    const auto it = names.find(name);
    if (it != names.end()) return it->second;
    return malformed_call(call_, "reads '" + name + "', which nothing in it makes");
  }

  Status rewrite(onnx::NodeProto& node, const ValueNames& names) {
    for (auto* list : {node.mutable_input(), node.mutable_output()}) {
      for (std::string& name : *list) {
        PBATCH_ASSIGN_OR_RETURN(name, lookup(names, name));
      }
    }
    const auto given = std::move(*node.mutable_attribute());
    node.clear_attribute();
    for (const onnx::AttributeProto& attribute : given) {
      if (attribute.ref_attr_name().empty()) {
        *node.add_attribute() = attribute;
      } else if (const onnx::AttributeProto* value = attribute_of_call(attribute.ref_attr_name())) {
        onnx::AttributeProto& made = *node.add_attribute();
        made = *value;
        made.set_name(attribute.name());
        continue;  // a subgraph that the caller gives has the caller's names
      } else {
        continue;
      }
      onnx::AttributeProto& made = *node.mutable_attribute()->rbegin();
      if (made.has_g()) PBATCH_RETURN_IF_ERROR(rewrite(*made.mutable_g(), names));
    }
    return Status::ok();
  }

  const onnx::AttributeProto* attribute_of_call(const std::string& name) const {
    for (const onnx::AttributeProto& attribute : call_.attribute()) {
      if (attribute.name() == name) return &attribute;
    }
    for (const onnx::AttributeProto& attribute : function_.defaults) {
      if (attribute.name() == name) return &attribute;
    }
    return nullptr;
  }

  // What a subgraph makes hides values of the same name around it.
  Status rewrite(onnx::GraphProto& graph, ValueNames names) {
    std::unordered_set<std::string> made;
    const auto make = [&](const std::string& name) {
      if (!name.empty() && made.insert(name).second) names[name] = used_.unused(prefix_ + name);
    };
    for (const auto& input : graph.input()) make(input.name());
    for (const auto& initializer : graph.initializer()) make(initializer.name());
    for (const auto& node : graph.node()) {
      for (const std::string& output : node.output()) make(output);
    }
    for (auto& input : *graph.mutable_input()) input.set_name(names[input.name()]);
    for (auto& initializer : *graph.mutable_initializer()) {
      initializer.set_name(names[initializer.name()]);
    }
    graph.clear_value_info();
    for (auto& node : *graph.mutable_node()) PBATCH_RETURN_IF_ERROR(rewrite(node, names));
    for (auto& output : *graph.mutable_output()) {
      PBATCH_ASSIGN_OR_RETURN(const std::string name, lookup(names, output.name()));
      output.set_name(name);
    }
    return Status::ok();
  }

  const onnx::NodeProto& call_;
  const ModelFunction& function_;
  const std::string prefix_;
  UsedNames& used_;
};

class FunctionInliner {
 public:
  FunctionInliner(onnx::ModelProto& model, FunctionTable functions)
      : model_(model),
        functions_(std::move(functions)),
        most_bytes_(kBytesForAll + kMostTimes * model.ByteSizeLong()) {
    note_names(model.graph());
  }

  Status run() { return inline_in(*model_.mutable_graph()); }

 private:
  void note_names(const onnx::GraphProto& graph) {
    for (const auto& input : graph.input()) used_.note(input.name());
    for (const auto& initializer : graph.initializer()) used_.note(initializer.name());
    for (const auto& node : graph.node()) {
      for (const std::string& output : node.output()) used_.note(output);
      for (const auto& attribute : node.attribute()) note_names(attribute.g());
    }
  }

  Status inline_in(onnx::GraphProto& graph) {
    google::protobuf::RepeatedPtrField<onnx::NodeProto> nodes;
    nodes.Swap(graph.mutable_node());
    for (int i = 0; i < nodes.size(); ++i) {
      onnx::NodeProto& node = nodes[i];
      if (node.name().empty() && functions_.find(node) != nullptr) {
        node.set_name(node.op_type() + "_" + std::to_string(i));
      }
      PBATCH_RETURN_IF_ERROR(add(node, graph));
    }
    return Status::ok();
  }

  // Moves the node to the end of the graph, or what stands for it.
  Status add(onnx::NodeProto& node, onnx::GraphProto& graph) {
    for (onnx::AttributeProto& attribute : *node.mutable_attribute()) {
      if (attribute.has_g()) PBATCH_RETURN_IF_ERROR(inline_in(*attribute.mutable_g()));
    }
    ModelFunction* const function = functions_.find(node);
    if (function == nullptr) {
      graph.add_node()->Swap(&node);
      return Status::ok();
    }
    if (function->is_open) return malformed_call(node, "calls itself");
    if (depth_ >= kDeepestCall) {
      return malformed_call(
          node, "is called through more than " + std::to_string(kDeepestCall) + " others");
    }
    PBATCH_RETURN_IF_ERROR(import_opsets(node, *function->proto));
    PBATCH_ASSIGN_OR_RETURN(std::vector<onnx::NodeProto> body,
                            BodyWriter(node, *function, used_).write());
    nodes_ += body.size();
    for (const onnx::NodeProto& inner : body) bytes_ += inner.ByteSizeLong();
    if (nodes_ > kMostNodes || bytes_ > most_bytes_) {
      return malformed_call(node, "and those that it calls make more than " +
                                      std::to_string(kMostNodes) + " nodes, or a model " +
                                      std::to_string(kMostTimes) + " times as large");
    }
    function->is_open = true;
    ++depth_;
    for (onnx::NodeProto& inner : body) PBATCH_RETURN_IF_ERROR(add(inner, graph));
    --depth_;
    function->is_open = false;
    return Status::ok();
  }

  // A domain that only functions use is one of the model from now on.
  Status import_opsets(const onnx::NodeProto& call, const onnx::FunctionProto& function) {
    for (const onnx::OperatorSetIdProto& entry : function.opset_import()) {
      const std::string domain = canonical_domain(entry.domain());
      if (!uses_domain(function.node(), domain)) continue;
      const auto known =
          std::find_if(model_.opset_import().begin(), model_.opset_import().end(),
                       [&](const auto& e) { return canonical_domain(e.domain()) == domain; });
      if (known == model_.opset_import().end()) {
        *model_.add_opset_import() = entry;
      } else if (known->version() != entry.version()) {
        return Status(ErrorCode::unsupported,
                      "function '" + function.name() + "' is written for opset " +
                          std::to_string(entry.version()) + " of domain '" + domain +
                          "' and the model for " + std::to_string(known->version()),
                      "call onnx.inliner.inline_local_functions(model, convert_version=True)")
            .at_node(call.name());
      }
    }
    return Status::ok();
  }

  onnx::ModelProto& model_;
  FunctionTable functions_;
  UsedNames used_;
  const std::size_t most_bytes_;
  std::size_t nodes_ = 0, bytes_ = 0;  // that bodies added
  int depth_ = 0;
};

}  // namespace

Status inline_functions(onnx::ModelProto& model) {
  if (model.functions_size() != 0) PBATCH_RETURN_IF_ERROR(use_one_opset(model));
  PBATCH_ASSIGN_OR_RETURN(FunctionTable functions, FunctionTable::of(model));
  if (functions.empty()) return Status::ok();
  return FunctionInliner(model, std::move(functions)).run();
}

}  // namespace pbatch
