#include "claim.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <string>

#include "candidate.h"

namespace pbatch::ort {
namespace {

constexpr std::size_t kNone = static_cast<std::size_t>(-1);

/// Disjoint sets of node numbers.
class Sets {
 public:
  explicit Sets(std::size_t count) : parent_(count) {
    std::iota(parent_.begin(), parent_.end(), std::size_t{0});
  }
  std::size_t find(std::size_t i) {
    while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
    return i;
  }
  void join(std::size_t a, std::size_t b) { parent_[find(a)] = find(b); }

 private:
  std::vector<std::size_t> parent_;
};

bool is_there(const Ort::ConstValueInfo& value) {
  return static_cast<const OrtValueInfo*>(value) != nullptr;
}

/// The nodes in the order in which they can run, as ONNX Runtime gives them, and who makes what.
struct Order {
  explicit Order(const Ort::ConstGraph& graph) : nodes(graph.GetNodes()) {
    for (std::size_t n = 0; n < nodes.size(); ++n) {
      for (const Ort::ConstValueInfo& value : nodes[n].GetOutputs()) {
        if (is_there(value)) maker_[value.GetName()] = n;
      }
    }
    inputs.resize(nodes.size());
    for (std::size_t n = 0; n < nodes.size(); ++n) {
      for (const Ort::ConstValueInfo& value : nodes[n].GetInputs()) {
        if (is_there(value)) inputs[n].push_back(value);
      }
      // What subgraphs read is read by the node around them.
      for (const Ort::ConstValueInfo& value : nodes[n].GetImplicitInputs()) {
        if (is_there(value)) inputs[n].push_back(value);
      }
    }
  }

  /// kNone for inputs of the graph and constants.
  std::size_t maker(const Ort::ConstValueInfo& value) const {
    const auto it = maker_.find(value.GetName());
    return it == maker_.end() ? kNone : it->second;
  }

  std::vector<Ort::ConstNode> nodes;
  std::vector<std::vector<Ort::ConstValueInfo>> inputs;  ///< of each node, without absent ones

 private:
  std::map<std::string, std::size_t> maker_;
};

// Layers by themselves, and what follows them.
Result<std::vector<bool>> choose_nodes(const Order& order, const Settings& settings) {
  const auto& nodes = order.nodes;
  const bool is_quantized = std::any_of(nodes.begin(), nodes.end(), is_own_operator);
  std::vector<bool> chosen(nodes.size(), false);
  for (std::size_t n = 0; n < nodes.size(); ++n) {
    if (is_quantized) {
      chosen[n] = is_own_operator(nodes[n]);
    } else {
      PBATCH_ASSIGN_OR_RETURN(chosen[n], is_candidate(nodes[n], settings));
    }
    if (chosen[n]) continue;
    const Ort::ConstValueInfo followed = followed_value(nodes[n]);
    if (!is_there(followed)) continue;
    const std::size_t maker = order.maker(followed);
    chosen[n] = maker != kNone && maker < n && chosen[maker];
  }
  return chosen;
}

// Connectors with layers on both sides of them, other connectors in between perhaps.
void connect(const Order& order, std::vector<bool>* chosen) {
  const std::size_t count = order.nodes.size();
  std::vector<bool> may(count), behind(count, false), before(count, false);
  for (std::size_t n = 0; n < count; ++n) {
    may[n] = !(*chosen)[n] && is_connector(order.nodes[n]);
    if (!may[n]) continue;
    for (const Ort::ConstValueInfo& value : order.inputs[n]) {
      const std::size_t maker = order.maker(value);
      if (maker != kNone && ((*chosen)[maker] || behind[maker])) behind[n] = true;
    }
  }
  for (std::size_t n = count; n-- > 0;) {
    if (!(*chosen)[n] && !before[n]) continue;
    for (const Ort::ConstValueInfo& value : order.inputs[n]) {
      const std::size_t maker = order.maker(value);
      if (maker != kNone && may[maker]) before[maker] = true;
    }
  }
  for (std::size_t n = 0; n < count; ++n) {
    if (behind[n] && before[n]) (*chosen)[n] = true;
  }
}

// How often the paths to a node went from one that runs here to others and back; -1 where none of
// them has a node that runs here. Two nodes of one depth that run here have none that runs
// elsewhere between them.
std::vector<int> depths_of(const Order& order, const std::vector<bool>& chosen) {
  std::vector<int> depths(order.nodes.size(), -1);
  for (std::size_t n = 0; n < order.nodes.size(); ++n) {
    if (chosen[n]) depths[n] = 0;
    for (const Ort::ConstValueInfo& value : order.inputs[n]) {
      const std::size_t maker = order.maker(value);
      if (maker == kNone) continue;
      depths[n] = std::max(depths[n], depths[maker] + (chosen[n] && !chosen[maker] ? 1 : 0));
    }
  }
  return depths;
}

}  // namespace

Result<std::vector<NodeGroup>> choose_groups(const Ort::ConstGraph& graph,
                                             const Settings& settings) {
  const Order order(graph);
  PBATCH_ASSIGN_OR_RETURN(std::vector<bool> chosen, choose_nodes(order, settings));
  if (settings.connect) connect(order, &chosen);
  const std::vector<int> depths = depths_of(order, chosen);
  Sets sets(order.nodes.size());
  std::map<std::pair<std::string, int>, std::size_t> readers;  // by value and depth
  for (std::size_t n = 0; n < order.nodes.size(); ++n) {
    if (!chosen[n]) continue;
    for (const Ort::ConstValueInfo& value : order.inputs[n]) {
      if (value.IsConstantInitializer()) continue;
      const std::size_t maker = order.maker(value);
      if (maker != kNone && chosen[maker] && depths[maker] == depths[n]) sets.join(n, maker);
      const auto [it, added] = readers.try_emplace({value.GetName(), depths[n]}, n);
      if (!added) sets.join(n, it->second);
    }
  }
  std::map<std::size_t, NodeGroup> groups;
  for (std::size_t n = 0; n < order.nodes.size(); ++n) {
    if (chosen[n]) groups[sets.find(n)].push_back(order.nodes[n]);
  }
  std::vector<NodeGroup> found;
  for (auto& [root, nodes] : groups) found.push_back(std::move(nodes));
  return found;
}

}  // namespace pbatch::ort
