#include "quantize/left_constants.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "graph/known_ranks.h"
#include "graph/rewrite.h"
#include "graph/subgraphs.h"
#include "quantize/weight_view.h"

namespace pbatch {
namespace {

using Wanted = std::function<bool(const Node&, const Tensor& w)>;

// Whether all dimensions but the last two are 1.
bool is_left_matrix(const Tensor& t) {
  return t.rank() >= 2 &&
         std::all_of(t.shape().begin(), t.shape().end() - 2, [](std::int64_t d) { return d == 1; });
}

// [1..., M, K] -> [K, M].
Result<Tensor> transposed(const Tensor& from) {
  const std::int64_t rows = from.dim(from.rank() - 2), cols = from.dim(from.rank() - 1);
  PBATCH_ASSIGN_OR_RETURN(Tensor to, Tensor::create(DType::f32, {cols, rows}));
  const WeightView view{from.data<float>(), cols, rows, 1, cols};
  view.copy_rows(0, cols, to.mutable_data<float>());
  return to;
}

class Turner {
 public:
  Turner(Graph& graph, const KnownRanks& ranks, const Wanted& wanted)
      : graph_(graph), ranks_(ranks), wanted_(wanted), constants_(graph) {
    for (const Value& value : graph.values) names_.insert(value.name);
  }

  Status run() {
    std::vector<Node> nodes = std::exchange(graph_.nodes, {});
    for (Node& node : nodes) {
      PBATCH_RETURN_IF_ERROR(change_subgraphs(node, [&](Graph& subgraph) {
        return Turner(subgraph, ranks_.of_subgraph(node, subgraph), wanted_).run();
      }));
      if (is_turnable(node)) {
        PBATCH_RETURN_IF_ERROR(turn(std::move(node)));
      } else {
        graph_.nodes.push_back(std::move(node));
      }
    }
    return Status::ok();
  }

 private:
  bool is_turnable(const Node& node) const {
    if (!is_onnx(node, "MatMul") || node.inputs.size() != 2 || node.outputs.size() != 1) {
      return false;
    }
    const Tensor* const w = float_constant(graph_, node, 0);
    if (w == nullptr || !is_left_matrix(*w) || graph_.constant(node.inputs[1]) != nullptr)
      return false;
    const auto rank = ranks_.of(node.inputs[1]);
    return rank && *rank >= w->rank() && node.outputs[0] != kNoValue && wanted_(node, *w);
  }

  Status turn(Node node) {
    const std::size_t rank = *ranks_.of(node.inputs[1]);
    const ValueId x = node.inputs[1], y = node.outputs[0];
    PBATCH_ASSIGN_OR_RETURN(Tensor w, transposed(*graph_.constant(node.inputs[0])));
    const std::string w_name = graph_.values[static_cast<std::size_t>(node.inputs[0])].name;
    const ValueId turned_x = add_value(node.name + "_x");
    const ValueId turned_y = add_value(node.name + "_y");
    graph_.nodes.push_back(transpose(node, rank, "/turned_input", x, turned_x));
    Node last = transpose(node, rank, "/turned_output", turned_y, y);
    node.inputs = {turned_x, constants_.add(w_name + "_transposed", std::move(w))};
    node.outputs = {turned_y};
    make_pbatch(graph_, node, "Linear");
    graph_.nodes.push_back(std::move(node));
    graph_.nodes.push_back(std::move(last));
    return Status::ok();
  }

  // The last two dimensions change places.
  static Node transpose(const Node& like, std::size_t rank, const char* suffix, ValueId from,
                        ValueId to) {
    std::vector<std::int64_t> order(rank);
    std::iota(order.begin(), order.end(), 0);
    std::swap(order[rank - 1], order[rank - 2]);
    Node node;
    node.name = like.name + suffix;
    node.op_type = "Transpose";
    node.opset = like.opset;
    node.inputs = {from};
    node.outputs = {to};
    node.attributes["perm"] = std::move(order);
    return node;
  }

  ValueId add_value(const std::string& base) {
    Value value;
    value.name = base;
    for (int n = 2; !names_.insert(value.name).second; ++n) {
      value.name = base + "_" + std::to_string(n);
    }
    return graph_.add_value(std::move(value));
  }

  Graph& graph_;
  const KnownRanks& ranks_;
  const Wanted& wanted_;
  NewConstants constants_;
  std::unordered_set<std::string> names_;
};

}  // namespace

Status turn_left_constants(Graph& graph, const Wanted& wanted) {
  return Turner(graph, KnownRanks::of_network(graph), wanted).run();
}

}  // namespace pbatch
