// The table of expansions, and the pass that applies them.
#include <algorithm>
#include <iterator>
#include <utility>

#include "graph/expand/expansion.h"
#include "graph/known_attributes.h"
#include "graph/passes.h"
#include "graph/subgraphs.h"

namespace pbatch {

#define PBATCH_EXPANSION(domain, op_type, first_opset, function) Status function(Expansion& e);
#include "graph/expand/expansions.inc"
#undef PBATCH_EXPANSION

namespace {

constexpr int kOpsetWithoutImport = 17;  // of a network that has no operator of ONNX's own

struct Entry {
  const char* domain;
  const char* op_type;
  int first_opset;
  Status (*expand)(Expansion&);
};

constexpr Entry kExpansions[] = {
#define PBATCH_EXPANSION(domain, op_type, first_opset, function) \
  {domain, op_type, first_opset, function},
#include "graph/expand/expansions.inc"
#undef PBATCH_EXPANSION
};

const Entry* find_expansion(const Node& node) {
  const auto fits = [&node](const Entry& e) {
    return node.domain == e.domain && node.op_type == e.op_type && node.opset >= e.first_opset;
  };
  const auto* const found = std::find_if(std::begin(kExpansions), std::end(kExpansions), fits);
  return found == std::end(kExpansions) ? nullptr : found;
}

class Expander {
 public:
  Expander(int opset, std::unordered_set<std::string>& names) : opset_(opset), names_(names) {}

  Status run(Graph& graph) {
    NewConstants constants(graph);
    std::vector<Node> waiting(std::make_move_iterator(graph.nodes.rbegin()),
                              std::make_move_iterator(graph.nodes.rend()));
    graph.nodes.clear();
    while (!waiting.empty()) {
      Node node = std::move(waiting.back());
      waiting.pop_back();
      PBATCH_RETURN_IF_ERROR(change_subgraphs(node, [this](Graph& g) { return run(g); }));
      PBATCH_ASSIGN_OR_RETURN(std::vector<Node> nodes, nodes_for(graph, constants, node));
      if (nodes.empty()) graph.nodes.push_back(std::move(node));
      waiting.insert(waiting.end(), std::make_move_iterator(nodes.rbegin()),
                     std::make_move_iterator(nodes.rend()));
    }
    return Status::ok();
  }

 private:
  Result<std::vector<Node>> nodes_for(Graph& graph, NewConstants& constants, const Node& node) {
    const Entry* entry = find_expansion(node);
    if (entry == nullptr) return std::vector<Node>();
    Expansion expansion(graph, constants, names_, node, opset_);
    Status s = check_attributes_known(node);
    if (s) s = entry->expand(expansion);
    if (!s) {
      return std::move(s).at_node(node.name).in_file(graph.source_file);
    }
    return expansion.take();
  }

  int opset_;
  std::unordered_set<std::string>& names_;
};

}  // namespace

Status expand(Graph& graph) {
  const int opset = graph.opsets.emplace("", kOpsetWithoutImport).first->second;
  std::unordered_set<std::string> names;
  visit_nodes(graph, [&names](const Node& node) { names.insert(node.name); });
  return Expander(opset, names).run(graph);
}

}  // namespace pbatch
