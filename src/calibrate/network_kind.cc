#include "calibrate/network_kind.h"

#include <algorithm>
#include <set>
#include <string>

#include "graph/subgraphs.h"
#include "layout/bit_matrix.h"

namespace pbatch {
namespace {

// Whose output holds the numbers of input 0, in whatever shape.
bool passes_numbers(const std::string& op_type) {
  static const std::set<std::string> passing{"Cast",    "Identity",  "Unsqueeze", "Squeeze",
                                             "Reshape", "Transpose", "Flatten",   "Slice"};
  return passing.count(op_type) != 0;
}

// Rows of the table that `node` looks `index` up in; 0 if it does not.
std::int64_t rows_looked_up(const Graph& graph, const Node& node, ValueId index) {
  if (node.op_type == "BitGather") return node.inputs[0] == index ? node.matrix->rows : 0;
  if (node.op_type != "Gather" || node.inputs.size() < 2 || node.inputs[1] != index) return 0;
  const Tensor* const table = graph.constant(node.inputs[0]);
  const Result<std::int64_t> axis = node.int_attr("axis", 0);
  return table != nullptr && table->rank() >= 1 && axis && *axis == 0 ? table->dim(0) : 0;
}

// What the numbers of an input are for.
struct Use {
  std::int64_t table_rows = 0;
  bool is_length = false;
};

bool takes_lengths(const Node& node, ValueId id) {
  const std::size_t at = node.op_type == "BitRecurrent" ? 2 : 4;  // of Recurrent and ONNX's own: 4
  const bool recurrent = node.op_type == "BitRecurrent" || node.op_type == "RNN" ||
                         node.op_type == "LSTM" || node.op_type == "GRU";
  if (node.op_type == "Recurrent") return node.inputs.size() > 3 && node.inputs[3] == id;
  return recurrent && node.inputs.size() > at && node.inputs[at] == id;
}

Use use_of(const Graph& graph, ValueId input) {
  Use use;
  std::set<ValueId> same{input};
  for (const Node& node : graph.nodes) {  // in an order in which they can run
    for (const ValueId id : node.inputs) {
      if (same.count(id) == 0) continue;
      if (use.table_rows == 0) use.table_rows = rows_looked_up(graph, node, id);
      use.is_length = use.is_length || takes_lengths(node, id);
    }
    if (!node.inputs.empty() && same.count(node.inputs[0]) != 0 && passes_numbers(node.op_type)) {
      same.insert(node.outputs[0]);
    }
  }
  return use;
}

}  // namespace

NetworkKind kind_of(const Graph& graph, const std::vector<PortInfo>& inputs) {
  NetworkKind kind;
  for (const PortInfo& port : inputs) {
    Use use;
    for (const ValueId id : graph.inputs) {
      if (graph.values[static_cast<std::size_t>(id)].name == port.name) {
        use = use_of(graph, id);
      }
    }
    kind.table_rows.push_back(use.table_rows);
    kind.is_length.push_back(use.is_length);
  }
  visit_nodes(graph, [&](const Node& node) {
    static const std::set<std::string> recurrent{"BitRecurrent", "Recurrent", "Loop", "Scan",
                                                 "RNN",          "LSTM",      "GRU"};
    static const std::set<std::string> conv{"BitConv", "Conv", "ConvTranspose"};
    kind.recurrent = kind.recurrent || recurrent.count(node.op_type) != 0;
    kind.convolutional = kind.convolutional || conv.count(node.op_type) != 0;
  });
  return kind;
}

}  // namespace pbatch
