#include "quantize/set_floors.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "graph/bit_operators.h"
#include "graph/subgraphs.h"
#include "layout/bit_matrix.h"

namespace pbatch {
namespace {

constexpr std::int64_t kFewColumns = 32;
constexpr std::int64_t kOutputShare = 10;

std::int64_t weights_of(const BitMatrix& m) { return m.rows * m.cols; }

// Weights of all products, each matrix once.
std::int64_t product_weights(const Graph& graph) {
  std::set<const BitMatrix*> counted;
  std::int64_t sum = 0;
  visit_nodes(graph, [&](const Node& node) {
    if (node.matrix == nullptr || node.op_type == "BitGather") return;
    if (counted.insert(node.matrix.get()).second) sum += weights_of(*node.matrix);
  });
  return sum;
}

// Whether it multiplies by weights of its own, or may.
bool is_product(const Graph& graph, const Node& node) {
  if (node.matrix != nullptr) return node.op_type != "BitGather";
  if (!node.subgraphs.empty()) return true;
  if (node.domain == kPbatchDomain) return true;
  static const std::set<std::string> products{"MatMul", "Gemm", "Conv", "ConvTranspose",
                                              "RNN",    "LSTM", "GRU"};
  return products.count(node.op_type) != 0 && node.inputs.size() > 1 &&
         graph.constant(node.inputs[1]) != nullptr;
}

// Whether what node `first` makes becomes outputs without another product.
bool is_output_layer(const Graph& graph, std::size_t first,
                     const std::vector<std::vector<std::int32_t>>& consumers) {
  std::vector<std::size_t> todo{first};
  std::set<std::size_t> seen{first};
  bool reaches_output = false;
  while (!todo.empty()) {
    const Node& node = graph.nodes[todo.back()];
    todo.pop_back();
    for (const ValueId id : node.outputs) {
      if (id == kNoValue) continue;
      reaches_output = reaches_output || std::find(graph.outputs.begin(), graph.outputs.end(),
                                                   id) != graph.outputs.end();
      for (const std::int32_t next : consumers[static_cast<std::size_t>(id)]) {
        const auto n = static_cast<std::size_t>(next);
        if (is_product(graph, graph.nodes[n])) return false;
        if (seen.insert(n).second) todo.push_back(n);
      }
    }
  }
  return reaches_output;
}

void give_floors(Graph& graph, int bits, std::int64_t all, bool outermost) {
  const auto consumers = graph.consumers();
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    Node& node = graph.nodes[n];
    for (auto& entry : node.subgraphs) {
      auto changed = std::make_shared<Graph>(*entry.second);
      give_floors(*changed, bits, all, false);
      entry.second = std::move(changed);
    }
    if (node.matrix == nullptr) continue;
    const bool multiplies = node.op_type == "BitLinear" || node.op_type == "BitConv";
    const bool is_last = outermost && multiplies &&
                         weights_of(*node.matrix) * kOutputShare <= all &&
                         is_output_layer(graph, n, consumers);
    if (node.op_type == "BitGather" || node.matrix->cols <= kFewColumns || is_last) {
      node.attributes[kMinWeightBits] =
          static_cast<std::int64_t>(std::min(bits, node.matrix->planes_stored));
    }
  }
}

}  // namespace

void set_floors(Graph& graph, int bits) {
  if (bits > 1) give_floors(graph, bits, product_weights(graph), true);
}

}  // namespace pbatch
