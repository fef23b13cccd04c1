// Constants behind a convolution go into it, and the network computes what it did.
#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "graph/passes.h"
#include "tests/support/graph_maker.h"

namespace pbatch {
namespace {

using testing::expect_same_function;
using testing::GraphMaker;
using testing::random_floats;
using testing::tensor_of;
using IntList = std::vector<std::int64_t>;

constexpr std::int64_t kChannels = 5;

void expect_folded(Graph& graph, const std::string& wanted) {
  expect_same_function(graph, fold_scale, tensor_of({1, 3, 6, 7}, random_floats(126, 3)), wanted,
                       1e-5);
}

// With a bias, or without.
ValueId convolution(GraphMaker& g, bool bias) {
  std::vector<ValueId> inputs{g.input("x"), g.floats({kChannels, 3, 3, 3}, 1)};
  if (bias) inputs.push_back(g.floats({kChannels}, 2));
  return g.add("Conv", inputs);
}

TEST(FoldScale, ConstantsOfChannels) {
  for (const bool bias : {false, true}) {
    for (const char* op_type : {"Mul", "Div", "Add", "Sub"}) {
      for (const Shape& shape : {Shape{}, Shape{kChannels, 1, 1}, Shape{1, kChannels, 1, 1}}) {
        GraphMaker g;
        const ValueId y = g.add(op_type, {convolution(g, bias), g.floats(shape, 4)});
        expect_folded(g.graph({y}), "Conv");
      }
    }
  }
}

TEST(FoldScale, BehindATransposeThatMovesTheChannelsLast) {
  for (const bool bias : {false, true}) {
    GraphMaker g;
    ValueId v = g.add("Transpose", {convolution(g, bias)}, {{"perm", IntList{0, 2, 3, 1}}});
    v = g.add("Cast", {v}, {{"to", std::int64_t{1}}});  // as tf2onnx writes it
    v = g.add("Sub", {v, g.floats({1, 1, 1, kChannels}, 4)});
    v = g.add("Mul", {g.floats({kChannels}, 5), v});
    v = g.add("Add", {v, g.floats({kChannels}, 6)});
    expect_folded(g.graph({g.add("Relu", {v})}), "Conv Transpose Relu");
  }
  GraphMaker squeezed;
  ValueId w =
      squeezed.add("Transpose", {convolution(squeezed, true)}, {{"perm", IntList{0, 2, 3, 1}}});
  w = squeezed.add("Squeeze", {w, squeezed.integers({0})});
  w = squeezed.add("Mul", {w, squeezed.floats({kChannels}, 5)});
  w = squeezed.add("Add", {w, squeezed.floats({1, kChannels}, 6)});
  expect_folded(squeezed.graph({squeezed.add("Elu", {w})}), "Conv Transpose Squeeze Elu");
  GraphMaker widened;  // the constant gives the squeezed dimension back
  ValueId u =
      widened.add("Transpose", {convolution(widened, true)}, {{"perm", IntList{0, 2, 3, 1}}});
  u = widened.add("Squeeze", {u, widened.integers({0})});
  u = widened.add("Mul", {u, widened.floats({1, 1, 1, kChannels}, 5)});
  expect_folded(widened.graph({u}), "Conv Transpose Squeeze Mul");
  GraphMaker other;  // height and width change places
  ValueId v = other.add("Transpose", {convolution(other, true)}, {{"perm", IntList{0, 3, 2, 1}}});
  v = other.add("Mul", {v, other.floats({1}, 5)});
  expect_folded(other.graph({v}), "Conv Transpose Mul");
}

TEST(FoldScale, WhatIsNoConstantOfAChannelStays) {
  GraphMaker g;
  const ValueId conv = convolution(g, true);
  expect_folded(g.graph({g.add("Mul", {conv, g.floats({4, kChannels}, 5)})}), "Conv Mul");
  GraphMaker from_the_left;
  const ValueId c = convolution(from_the_left, true);
  expect_folded(from_the_left.graph({from_the_left.add("Sub", {from_the_left.floats({}, 5), c})}),
                "Conv Sub");
}

}  // namespace
}  // namespace pbatch
