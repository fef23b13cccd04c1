// Networks inside of nodes: what If, Loop and Scan run.
#pragma once

#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "graph/graph.h"
#include "pbatch/status.h"

namespace pbatch {

/// Calls visit(graph) for the graph and all graphs inside of it, outer ones first.
template <class Visit>
void visit_graphs(const Graph& graph, const Visit& visit) {
  visit(graph);
  for (const Node& node : graph.nodes) {
    for (const auto& entry : node.subgraphs) visit_graphs(*entry.second, visit);
  }
}

/// Calls visit(node) for every node at every depth, outer ones first.
template <class Visit>
void visit_nodes(const Graph& graph, const Visit& visit) {
  for (const Node& node : graph.nodes) {
    visit(node);
    for (const auto& entry : node.subgraphs) visit_nodes(*entry.second, visit);
  }
}

/// Replaces each subgraph of `node` by a copy on which change(copy) was called. Deeper
/// ones are the business of `change`.
template <class Change>
Status change_subgraphs(Node& node, const Change& change) {
  for (auto& entry : node.subgraphs) {
    auto changed = std::make_shared<Graph>(*entry.second);
    if (Status s = change(*changed); !s) return std::move(s).at_node(node.name);
    entry.second = std::move(changed);
  }
  return Status::ok();
}

/// The same for all nodes of a graph.
template <class Change>
Status change_subgraphs(Graph& graph, const Change& change) {
  for (Node& node : graph.nodes) PBATCH_RETURN_IF_ERROR(change_subgraphs(node, change));
  return Status::ok();
}

/// Number of inputs that the operator itself defines.
inline std::size_t own_inputs(const Node& node) { return node.inputs.size() - node.captures; }

/// An error unless an If, Loop or Scan of ONNX has its subgraphs, and these have as many
/// inputs and outputs as the operator defines. All else passes.
Status check_control_flow(const Node& node);

/// Captured constants become constants of the subgraphs of `node`, at every depth, and are
/// captured no more. Declared types of other captured values become known inside.
void tell_subgraphs(const Graph& graph, Node& node);

/// Captured values that no subgraph of `node` uses are captured no more.
void drop_unused_captures(Node& node);

/// Gives values of subgraphs the names by which a file refers to them: a captured value that
/// of the graph around; a constant that shares storage with one around, and is no output of
/// the subgraph, the name of that one; all others a name that nothing else in the network has.
/// Doing it again changes nothing.
void scope_names(Graph& graph);

/// Puts subgraphs in the place of their nodes.
class Inliner {
 public:
  explicit Inliner(Graph& graph);
  /// The nodes of `branch`, a subgraph of `node` without inputs but captured ones, rewired to
  /// values of the graph: they make the outputs of `node`. The caller puts them in its place.
  std::vector<Node> nodes_of(const Node& node, const Graph& branch);

 private:
  ValueId add_value(Value value);

  Graph& graph_;
  std::unordered_set<std::string> names_;
};

}  // namespace pbatch
