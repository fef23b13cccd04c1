#include <functional>
#include <queue>
#include <utility>

#include "graph/graph.h"

namespace pbatch {
namespace {

const char* const kExportAgain = "the file is damaged; export the model again";

Status id_error(const Node& node) {
  return Status(ErrorCode::internal, "a value index is out of range").at_node(node.name);
}

// Every value has exactly one maker: an input, a constant or one node.
Status check_single_makers(const Graph& graph, std::vector<bool>* ready) {
  const std::size_t count = graph.values.size();
  std::vector<bool> made(count, false);
  ready->assign(count, false);
  for (std::size_t v = 0; v < count; ++v) {
    if (graph.values[v].constant) made[v] = (*ready)[v] = true;
  }
  for (const ValueId id : graph.inputs) {
    if (id < 0 || static_cast<std::size_t>(id) >= count) {
      return Status(ErrorCode::internal, "a graph input's index is out of range");
    }
    made[static_cast<std::size_t>(id)] = (*ready)[static_cast<std::size_t>(id)] = true;
  }
  for (const Node& node : graph.nodes) {
    for (const ValueId id : node.outputs) {
      if (id == kNoValue) continue;
      if (id < 0 || static_cast<std::size_t>(id) >= count) return id_error(node);
      if (made[static_cast<std::size_t>(id)]) {
        return Status(ErrorCode::malformed,
                      "value '" + graph.values[static_cast<std::size_t>(id)].name +
                          "' is made more than once",
                      kExportAgain)
            .at_node(node.name);
      }
      made[static_cast<std::size_t>(id)] = true;
    }
  }
  for (const Node& node : graph.nodes) {
    for (const ValueId id : node.inputs) {
      if (id == kNoValue) continue;
      if (id < 0 || static_cast<std::size_t>(id) >= count) return id_error(node);
      if (!made[static_cast<std::size_t>(id)]) {
        return Status(ErrorCode::malformed,
                      "input '" + graph.values[static_cast<std::size_t>(id)].name + "' of " +
                          node.op_type + " is made by no node and is no input",
                      kExportAgain)
            .at_node(node.name);
      }
    }
  }
  for (const ValueId id : graph.outputs) {
    if (id < 0 || static_cast<std::size_t>(id) >= count) {
      return Status(ErrorCode::internal, "a graph output's index is out of range");
    }
    if (!made[static_cast<std::size_t>(id)]) {
      return Status(ErrorCode::malformed,
                    "nothing makes the graph output '" +
                        graph.values[static_cast<std::size_t>(id)].name + "'",
                    kExportAgain);
    }
  }
  return Status::ok();
}

}  // namespace

Status sort_topologically(Graph& graph) {
  std::vector<bool> ready;
  PBATCH_RETURN_IF_ERROR(check_single_makers(graph, &ready));

  const std::vector<std::vector<std::int32_t>> consumers = graph.consumers();
  std::vector<std::size_t> missing(graph.nodes.size(), 0);  // inputs still to be made
  // The smallest index first: nodes that already stand in order stay as they are.
  std::priority_queue<std::int32_t, std::vector<std::int32_t>, std::greater<>> runnable;
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    for (const ValueId id : graph.nodes[n].inputs) {
      if (id != kNoValue && !ready[static_cast<std::size_t>(id)]) ++missing[n];
    }
    if (missing[n] == 0) runnable.push(static_cast<std::int32_t>(n));
  }

  std::vector<std::int32_t> order;
  order.reserve(graph.nodes.size());
  while (!runnable.empty()) {
    const std::int32_t n = runnable.top();
    runnable.pop();
    order.push_back(n);
    for (const ValueId id : graph.nodes[static_cast<std::size_t>(n)].outputs) {
      if (id == kNoValue) continue;
      for (const std::int32_t user : consumers[static_cast<std::size_t>(id)]) {
        if (--missing[static_cast<std::size_t>(user)] == 0) runnable.push(user);
      }
    }
  }

  if (order.size() != graph.nodes.size()) {
    for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
      if (missing[n] != 0) {
        return Status(ErrorCode::malformed, "the graph has a cycle through or before this node",
                      kExportAgain)
            .at_node(graph.nodes[n].name);
      }
    }
  }
  std::vector<Node> sorted;
  sorted.reserve(order.size());
  for (const std::int32_t n : order) {
    sorted.push_back(std::move(graph.nodes[static_cast<std::size_t>(n)]));
  }
  graph.nodes = std::move(sorted);
  return Status::ok();
}

}  // namespace pbatch
