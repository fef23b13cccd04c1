#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "graph/passes.h"
#include "graph/rewrite.h"
#include "graph/sequence_map.h"
#include "graph/subgraphs.h"

namespace pbatch {
namespace {

using Ids = std::vector<ValueId>;
constexpr std::int64_t kMostPosition = std::int64_t{1} << 31;  // of sizes and positions in a file

// What SplitToSequence cuts: equal parts whose number only a run tells.
struct Cut {
  ValueId from = kNoValue;
  std::int64_t axis = 0, size = 1;
  bool keep_dims = true;
};

std::optional<std::int64_t> integer(const Graph& graph, ValueId id) {
  const Tensor* t = graph.constant(id);
  if (t == nullptr || t->size() != 1) return std::nullopt;
  if (t->dtype() == DType::i64) return *t->data<std::int64_t>();
  if (t->dtype() == DType::i32) return *t->data<std::int32_t>();
  return std::nullopt;
}

// Sequences whose elements are known tensors, and optionals of which it is known whether they hold
// something; nodes that make and read them become others.
class Resolver {
 public:
  explicit Resolver(Graph& graph) : graph_(graph), constants_(graph) {}

  Status run() {
    std::vector<Node> nodes = std::move(graph_.nodes);
    graph_.nodes.clear();
    for (Node& node : nodes) {
      if (node.domain.empty()) PBATCH_RETURN_IF_ERROR(resolve(node));
      if (!node.op_type.empty()) graph_.nodes.push_back(std::move(node));
    }
    return check_readers();
  }

 private:
  bool is_gone(ValueId id) const {
    return lists_.count(id) != 0 || cuts_.count(id) != 0 || nothing_.count(id) != 0;
  }

  // What still reads a sequence or an optional would read nothing.
  Status check_readers() const {
    for (const Node& node : graph_.nodes) {
      for (const ValueId id : node.inputs) {
        if (!is_gone(id)) continue;
        return Status(
                   ErrorCode::unsupported,
                   node.op_type + " reads a sequence or optional that is not known before the run",
                   "export the network with tensors in place of sequences")
            .at_node(node.name)
            .in_file(graph_.source_file);
      }
    }
    for (const ValueId id : graph_.outputs) {
      if (!is_gone(id)) continue;
      return Status(ErrorCode::unsupported,
                    "output '" + graph_.values[static_cast<std::size_t>(id)].name +
                        "' is a sequence or an empty optional",
                    "export the network with tensors in place of sequences")
          .in_file(graph_.source_file);
    }
    return Status::ok();
  }

  // A node that is not needed any more loses its operator.
  Status resolve(Node& node) {
    const ValueId first = input_or_none(node, 0);
    if (node.op_type.starts_with("Optional")) return resolve_optional(node, first);
    if (node.op_type == "SequenceMap" && lists_.count(first) != 0) return map(node, lists_[first]);
    if (node.outputs.size() != 1 || (first == kNoValue && node.op_type != "SequenceEmpty")) {
      return Status::ok();
    }
    if (node.op_type == "SequenceEmpty" || node.op_type == "SequenceConstruct") {
      define(node, node.inputs);
    } else if (node.op_type == "SplitToSequence") {
      return split(node);
    } else if (node.op_type == "SequenceInsert" && lists_.count(first) != 0) {
      insert(node, lists_[first]);
    } else if (node.op_type == "SequenceErase" && lists_.count(first) != 0) {
      erase(node, lists_[first]);
    } else if (node.op_type == "SequenceLength" && lists_.count(first) != 0) {
      return length(node, static_cast<std::int64_t>(lists_[first].size()));
    } else if (node.op_type == "SequenceAt") {
      return at(node);
    } else if (node.op_type == "ConcatFromSequence" && lists_.count(first) != 0) {
      return concat(node, lists_[first]);
    }
    return Status::ok();
  }

  // A value that is no empty optional holds something: there are no others.
  Status resolve_optional(Node& node, ValueId first) {
    const bool holds = first != kNoValue && nothing_.count(first) == 0;
    if (node.outputs.size() != 1) return Status::ok();
    if (node.op_type == "OptionalHasElement") {
      PBATCH_ASSIGN_OR_RETURN(Tensor answer, Tensor::create(DType::boolean, {}));
      *answer.mutable_data<std::uint8_t>() = holds ? 1 : 0;
      node.op_type = "Identity";
      node.inputs = {constants_.add(node.name + "/answer", std::move(answer))};
    } else if (!holds && node.op_type == "OptionalGetElement") {
      return Status(ErrorCode::malformed, "OptionalGetElement reads an empty optional",
                    "the network cannot run; export it again")
          .at_node(node.name)
          .in_file(graph_.source_file);
    } else if (!holds) {
      nothing_.insert(node.outputs[0]);
      node.op_type.clear();
    } else if (const auto list = lists_.find(first); list != lists_.end()) {
      define(node, list->second);
    } else if (const auto cut = cuts_.find(first); cut != cuts_.end()) {
      cuts_[node.outputs[0]] = cut->second;
      node.op_type.clear();
    } else {
      node.op_type = "Identity";
      node.attributes.clear();
    }
    return Status::ok();
  }

  void define(Node& node, Ids list) {
    lists_[node.outputs[0]] = std::move(list);
    node.op_type.clear();
  }

  // Where an optional position input points, in a list of `size`, `end` beyond the last included.
  std::optional<std::size_t> position(const Node& node, std::size_t input, std::size_t size,
                                      bool end) const {
    const ValueId id = input_or_none(node, input);
    if (id == kNoValue) return end ? size : size - 1;
    std::optional<std::int64_t> at = integer(graph_, id);
    if (!at) return std::nullopt;
    const auto count = static_cast<std::int64_t>(size);
    if (*at < 0) *at += count;
    if (*at < 0 || *at >= count + (end ? 1 : 0)) return std::nullopt;
    return static_cast<std::size_t>(*at);
  }

  void insert(Node& node, Ids list) {
    const auto at = position(node, 2, list.size(), true);
    if (!at || input_or_none(node, 1) == kNoValue) return;
    list.insert(list.begin() + static_cast<std::ptrdiff_t>(*at), node.inputs[1]);
    define(node, std::move(list));
  }

  void erase(Node& node, Ids list) {
    const auto at = position(node, 1, list.size(), false);
    if (!at || list.empty()) return;
    list.erase(list.begin() + static_cast<std::ptrdiff_t>(*at));
    define(node, std::move(list));
  }

  Status split(Node& node) {
    PBATCH_ASSIGN_OR_RETURN(const std::int64_t axis, node.int_attr("axis", 0));
    PBATCH_ASSIGN_OR_RETURN(const std::int64_t keep, node.int_attr("keepdims", 1));
    const ValueId sizes = input_or_none(node, 1);
    const Tensor* list = graph_.constant(sizes);
    if (sizes == kNoValue) {
      cuts_[node.outputs[0]] = {node.inputs[0], axis, 1, keep != 0};
    } else if (list != nullptr && list->rank() == 0) {
      const std::optional<std::int64_t> size = integer(graph_, sizes);
      if (!size || *size < 1) return Status::ok();
      cuts_[node.outputs[0]] = {node.inputs[0], axis, *size, true};
    } else if (list != nullptr && list->dtype() == DType::i64 && node.opset >= 11) {
      return split_list(node, axis, *list);
    } else {
      return Status::ok();
    }
    node.op_type.clear();
    return Status::ok();
  }

  // A copy of the sizes: new constants move the old ones.
  Status split_list(Node& node, std::int64_t axis, const Tensor sizes) {
    Ids parts;
    std::int64_t begin = 0;
    for (std::int64_t i = 0; i < sizes.size(); ++i) {
      const std::int64_t size = sizes.data<std::int64_t>()[i];
      if (size < 0 || size > kMostPosition) return Status::ok();
      const std::int64_t end = begin + size;
      PBATCH_ASSIGN_OR_RETURN(const ValueId part,
                              slice(node, kNoValue, node.inputs[0], axis, begin, end));
      parts.push_back(part);
      begin = end;
    }
    define(node, std::move(parts));
    return Status::ok();
  }

  Status at(Node& node) {
    const ValueId from = node.inputs[0];
    if (const auto list = lists_.find(from); list != lists_.end()) {
      const auto at = position(node, 1, list->second.size(), false);
      if (!at || list->second.empty()) return Status::ok();
      node.op_type = "Identity";
      node.inputs = {list->second[*at]};
      return Status::ok();
    }
    const auto cut = cuts_.find(from);
    const std::optional<std::int64_t> index = integer(graph_, input_or_none(node, 1));
    if (cut == cuts_.end() || !index || *index < 0 || *index >= kMostPosition ||
        cut->second.size >= kMostPosition) {
      return Status::ok();
    }
    const Cut& c = cut->second;
    if (c.keep_dims) {
      PBATCH_RETURN_IF_ERROR(
          slice(node, node.outputs[0], c.from, c.axis, *index * c.size, (*index + 1) * c.size)
              .status());
      node.op_type.clear();
      return Status::ok();
    }
    PBATCH_ASSIGN_OR_RETURN(Tensor which, Tensor::create(DType::i64, {}));
    *which.mutable_data<std::int64_t>() = *index;
    node.op_type = "Gather";
    node.inputs = {c.from, constants_.add(node.name + "/index", std::move(which))};
    node.attributes = {{"axis", c.axis}};
    return Status::ok();
  }

  // A Slice in front of `node`; its result is `to`, or a new value.
  Result<ValueId> slice(const Node& node, ValueId to, ValueId from, std::int64_t axis,
                        std::int64_t begin, std::int64_t end) {
    Node made;
    made.name = node.name + "/slice_" + std::to_string(++made_);
    made.op_type = "Slice";
    made.opset = node.opset;
    made.inputs = {from};
    for (const std::int64_t number : {begin, end, axis}) {
      PBATCH_ASSIGN_OR_RETURN(Tensor t, Tensor::create(DType::i64, {1}));
      *t.mutable_data<std::int64_t>() = number;
      made.inputs.push_back(constants_.add(made.name + "/range", std::move(t)));
    }
    made.outputs = {to != kNoValue ? to : constants_.add_value(made.name)};
    const ValueId result = made.outputs[0];
    graph_.nodes.push_back(std::move(made));
    return result;
  }

  // A list gives its elements in turn, a tensor itself each time.
  Status map(Node& node, const Ids& list) {
    const std::size_t count = list.size();
    std::vector<Ids> arguments(count);
    for (std::size_t i = 0; i < own_inputs(node); ++i) {
      const auto given = lists_.find(node.inputs[i]);
      const bool fits = given == lists_.end() || given->second.size() == count;
      if (node.inputs[i] == kNoValue || !fits) {
        return Status(ErrorCode::malformed,
                      fits ? "SequenceMap lacks an input"
                           : "SequenceMap reads sequences of different lengths",
                      "the network cannot run; export it again")
            .at_node(node.name)
            .in_file(graph_.source_file);
      }
      for (std::size_t k = 0; k < count; ++k) {
        arguments[k].push_back(given != lists_.end() ? given->second[k] : node.inputs[i]);
      }
    }
    Result<std::vector<Ids>> results = unroll_sequence_map(graph_, constants_, node, arguments);
    if (!results) return results.status().in_file(graph_.source_file);
    for (std::size_t o = 0; o < node.outputs.size(); ++o) {
      if (node.outputs[o] != kNoValue) lists_[node.outputs[o]] = std::move((*results)[o]);
    }
    node.op_type.clear();
    return Status::ok();
  }

  Status length(Node& node, std::int64_t count) {
    PBATCH_ASSIGN_OR_RETURN(Tensor t, Tensor::create(DType::i64, {}));
    *t.mutable_data<std::int64_t>() = count;
    node.op_type = "Identity";
    node.inputs = {constants_.add(node.name + "/length", std::move(t))};
    return Status::ok();
  }

  Status concat(Node& node, const Ids& list) {
    PBATCH_ASSIGN_OR_RETURN(const std::int64_t axis, node.int_attr("axis", 0));
    PBATCH_ASSIGN_OR_RETURN(const std::int64_t new_axis, node.int_attr("new_axis", 0));
    if (list.empty()) return Status::ok();
    Ids parts = list;
    for (ValueId& part : parts) {
      if (new_axis == 0) break;
      Node made;
      made.name = node.name + "/unsqueeze_" + std::to_string(++made_);
      made.op_type = "Unsqueeze";
      made.opset = node.opset;
      made.inputs = {part};
      if (node.opset < 13) {
        made.attributes["axes"] = std::vector<std::int64_t>{axis};
      } else {
        PBATCH_ASSIGN_OR_RETURN(Tensor t, Tensor::create(DType::i64, {1}));
        *t.mutable_data<std::int64_t>() = axis;
        made.inputs.push_back(constants_.add(made.name + "/axes", std::move(t)));
      }
      part = constants_.add_value(made.name);
      made.outputs = {part};
      graph_.nodes.push_back(std::move(made));
    }
    node.op_type = "Concat";
    node.attributes = {{"axis", axis}};
    node.inputs = std::move(parts);
    return Status::ok();
  }

  Graph& graph_;
  NewConstants constants_;
  std::map<ValueId, Ids> lists_;
  std::map<ValueId, Cut> cuts_;
  std::set<ValueId> nothing_;  // empty optionals
  int made_ = 0;
};

}  // namespace

Status resolve_sequences(Graph& graph) {
  PBATCH_RETURN_IF_ERROR(change_subgraphs(graph, resolve_sequences));
  return Resolver(graph).run();
}

}  // namespace pbatch
