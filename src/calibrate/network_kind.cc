#include "calibrate/network_kind.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string>

#include "feed/convert.h"
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
  bool is_waveform = false;
  std::set<std::int64_t> compared;
};

// Whose output holds input 0 as a signal: neighbours stay neighbours.
bool passes_signal(const std::string& op_type) {
  return op_type == "Pad" || passes_numbers(op_type);
}

bool reads_waveform(const Graph& graph, const Node& node, ValueId id) {
  if (node.inputs.empty() || node.inputs[0] != id) return false;
  if (node.op_type == "BitConv") {
    const auto kernel = node.ints_attr("kernel_shape", {});
    return kernel && kernel->size() == 1 && node.matrix->cols == (*kernel)[0];
  }
  if (node.op_type != "Conv" || node.inputs.size() < 2) return false;
  const Tensor* const weights = graph.constant(node.inputs[1]);
  return weights != nullptr && weights->rank() == 3 && weights->dim(1) == 1;
}

bool takes_lengths(const Node& node, ValueId id) {
  const std::size_t at = node.op_type == "BitRecurrent" ? 2 : 4;  // of Recurrent and ONNX's own: 4
  const bool recurrent = node.op_type == "BitRecurrent" || node.op_type == "RNN" ||
                         node.op_type == "LSTM" || node.op_type == "GRU";
  if (node.op_type == "Recurrent") return node.inputs.size() > 3 && node.inputs[3] == id;
  return recurrent && node.inputs.size() > at && node.inputs[at] == id;
}

// The constants that `node` compares `id` with, if they are integers.
void add_compared(const Graph& graph, const Node& node, ValueId id, std::set<std::int64_t>* to) {
  constexpr std::int64_t kFew = 8;      // more are a table
  constexpr double kGreatest = 0x1p31;  // of what is a setting
  static const std::set<std::string> ordering{"Less", "LessOrEqual", "Greater", "GreaterOrEqual"};
  const bool orders = ordering.count(node.op_type) != 0;
  if ((node.op_type != "Equal" && !orders) || node.inputs.size() != 2) return;
  const Tensor* const other = graph.constant(node.inputs[node.inputs[0] == id ? 1 : 0]);
  if (other == nullptr || other->size() > kFew) return;
  for (std::int64_t i = 0; i < other->size(); ++i) {
    const double value = element_as_double(*other, i);
    if (value != std::round(value) || std::abs(value) > kGreatest) continue;
    const auto whole = static_cast<std::int64_t>(value);
    to->insert(whole);
    if (orders) to->insert({whole - 1, whole + 1});
  }
}

void find_uses(const Graph& graph, ValueId input, Use* use) {
  std::set<ValueId> same{input}, signals{input};
  for (const Node& node : graph.nodes) {  // in an order in which they can run
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const ValueId id = node.inputs[i];
      if (signals.count(id) == 0) continue;
      use->is_waveform = use->is_waveform || reads_waveform(graph, node, id);
      if (same.count(id) == 0) continue;
      if (use->table_rows == 0) use->table_rows = rows_looked_up(graph, node, id);
      use->is_length = use->is_length || takes_lengths(node, id);
      add_compared(graph, node, id, &use->compared);
      if (i < own_inputs(node)) continue;
      for (const auto& entry : node.subgraphs) {  // whose last inputs are what they capture
        const std::vector<ValueId>& inner = entry.second->inputs;
        find_uses(*entry.second, inner[inner.size() - (node.inputs.size() - i)], use);
      }
    }
    if (!node.inputs.empty() && same.count(node.inputs[0]) != 0 && passes_numbers(node.op_type)) {
      same.insert(node.outputs[0]);
    }
    if (!node.inputs.empty() && signals.count(node.inputs[0]) != 0 && passes_signal(node.op_type)) {
      signals.insert(node.outputs[0]);
    }
  }
}

}  // namespace

NetworkKind kind_of(const Graph& graph, const std::vector<PortInfo>& inputs) {
  NetworkKind kind;
  for (const PortInfo& port : inputs) {
    Use use;
    for (const ValueId id : graph.inputs) {
      if (graph.values[static_cast<std::size_t>(id)].name == port.name) {
        find_uses(graph, id, &use);
      }
    }
    kind.table_rows.push_back(use.table_rows);
    kind.is_length.push_back(use.is_length);
    kind.is_waveform.push_back(use.is_waveform);
    kind.compared.emplace_back(use.compared.begin(), use.compared.end());
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
