#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "graph/subgraphs.h"

namespace pbatch {
namespace {

// Constants of the graphs around, by where their values are.
using Storage = std::tuple<const void*, DType, Shape>;
using Visible = std::map<Storage, std::string>;

Storage storage_of(const Tensor& t) { return {t.raw(), t.dtype(), t.shape()}; }

class Scoping {
 public:
  explicit Scoping(const Graph& outermost) {
    for (const Value& value : outermost.values) used_.insert(value.name);
  }

  void name_subgraphs(Graph& graph, Visible visible) {
    for (const Value& value : graph.values) {
      if (value.constant && value.constant->size() != 0) {
        visible.emplace(storage_of(*value.constant), value.name);
      }
    }
    for (Node& node : graph.nodes) {
      std::vector<std::string> captured;
      for (std::size_t i = own_inputs(node); i < node.inputs.size(); ++i) {
        captured.push_back(graph.values[static_cast<std::size_t>(node.inputs[i])].name);
      }
      for (auto& entry : node.subgraphs) {
        auto named = std::make_shared<Graph>(*entry.second);
        name_values(*named, captured, visible);
        name_subgraphs(*named, visible);
        entry.second = std::move(named);
      }
    }
  }

 private:
  void name_values(Graph& graph, const std::vector<std::string>& captured, const Visible& visible) {
    std::vector<bool> done(graph.values.size(), false);
    const std::size_t first = graph.inputs.size() - captured.size();
    for (std::size_t i = 0; i < captured.size(); ++i) {
      const auto id = static_cast<std::size_t>(graph.inputs[first + i]);
      graph.values[id].name = captured[i];
      done[id] = true;
    }
    const std::set<ValueId> outputs(graph.outputs.begin(), graph.outputs.end());
    for (std::size_t v = 0; v < graph.values.size(); ++v) {
      Value& value = graph.values[v];
      if (done[v]) continue;
      if (value.constant && value.constant->size() != 0 &&
          outputs.count(static_cast<ValueId>(v)) == 0) {
        const auto it = visible.find(storage_of(*value.constant));
        if (it != visible.end()) {
          value.name = it->second;
          continue;
        }
      }
      const std::string base = value.name;
      for (int suffix = 2; !used_.insert(value.name).second; ++suffix) {
        value.name = base + "_" + std::to_string(suffix);
      }
    }
  }

  std::unordered_set<std::string> used_;
};

}  // namespace

void scope_names(Graph& graph) { Scoping(graph).name_subgraphs(graph, {}); }

}  // namespace pbatch
