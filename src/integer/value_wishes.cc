#include "integer/value_wishes.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace pbatch {
namespace {

constexpr std::array<std::string_view, 19> kMovements = {
    "Cast",    "Reshape", "Flatten",  "Squeeze",      "Unsqueeze",    "Identity",
    "Dropout", "Slice",   "Split",    "Expand",       "Transpose",    "Tile",
    "Pad",     "Gather",  "GatherND", "DepthToSpace", "SpaceToDepth", "GatherElements",
    "Concat"};

// What reads 32 bits as well as 16.
constexpr std::array<std::string_view, 17> kWide = {"Pow",
                                                    "Sqrt",
                                                    "Add",
                                                    "Sub",
                                                    "Mul",
                                                    "Div",
                                                    "Max",
                                                    "Min",
                                                    "Relu",
                                                    "Softmax",
                                                    "MaxPool",
                                                    "AveragePool",
                                                    "GlobalAveragePool",
                                                    "GlobalMaxPool",
                                                    "ReduceMean",
                                                    "ReduceSum",
                                                    "ReduceMax"};

Wish both(Wish a, Wish b) {
  if (a == Wish::none || a == b) return b;
  if (b == Wish::none) return a;
  const auto of_state = [](Wish w) {
    return w == Wish::state || w == Wish::cell || w == Wish::states;
  };
  if (of_state(a) && of_state(b)) return Wish::states;
  const auto plain = [](Wish w) { return w == Wish::bits8 || w == Wish::bits16; };
  return plain(a) && plain(b) ? Wish::bits16 : Wish::wide;
}

// Of one reader for its input i.
Wish wish_for(const Node& node, std::size_t i, const Precision& precision,
              const std::vector<Wish>& wishes) {
  if (only_moves(node)) {
    Wish wish = Wish::none;
    for (const ValueId id : node.outputs) {
      if (id != kNoValue) wish = both(wish, wishes[static_cast<std::size_t>(id)]);
    }
    return wish;
  }
  if (node.op_type == "BitRecurrent" || node.op_type == "Recurrent") {
    const std::size_t first = node.op_type == "Recurrent" ? 2 : 1;
    if (i == 0) return Wish::gate;
    if (i == first + 2) return Wish::state;
    if (i == first + 3) return Wish::cell;
    return Wish::none;
  }
  if (node.matrix != nullptr && i == 0) {
    return precision.of(node.name).activation_bits == 8 ? Wish::bits8 : Wish::bits16;
  }
  const bool is_wide = std::find(kWide.begin(), kWide.end(), node.op_type) != kWide.end();
  return is_wide ? Wish::wide : Wish::bits16;
}

}  // namespace

bool only_moves(const Node& node) {
  if (node.domain == kPbatchDomain) {
    return node.op_type == "SplitHeads" || node.op_type == "SwapLast";
  }
  return node.domain.empty() &&
         std::find(kMovements.begin(), kMovements.end(), node.op_type) != kMovements.end();
}

std::vector<Wish> wishes_of(const Graph& graph, const Precision& precision) {
  std::vector<Wish> wishes(graph.values.size(), Wish::none);
  for (const ValueId id : graph.outputs) wishes[static_cast<std::size_t>(id)] = Wish::output;
  for (std::size_t n = graph.nodes.size(); n-- > 0;) {
    const Node& node = graph.nodes[n];
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i] == kNoValue) continue;
      Wish& wish = wishes[static_cast<std::size_t>(node.inputs[i])];
      wish = both(wish, wish_for(node, i, precision, wishes));
    }
  }
  return wishes;
}

}  // namespace pbatch
