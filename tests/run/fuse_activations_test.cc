// Activations in several operators become one that computes the same; what only looks like one
// stays.
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

class Maker : public GraphMaker {
 public:
  ValueId number(float value) {
    Graph& g = graph({});
    return g.add_value(
        {.name = "n" + std::to_string(g.values.size()), .constant = tensor_of({}, {value})});
  }
};

void expect_fused(Graph& graph, const std::string& wanted) {
  expect_same_function(graph, fuse_activations, tensor_of({5, 7}, random_floats(35, 3)), wanted,
                       1e-6);
}

TEST(FuseActivations, SigmoidTimesItsInputIsSwish) {
  for (const bool first : {false, true}) {
    Maker m;
    const ValueId x = m.input("x"), s = m.add("Sigmoid", {x});
    const ValueId y = first ? m.add("Mul", {s, x}) : m.add("Mul", {x, s});
    expect_fused(m.graph({y}), "Swish");
  }
  Maker m;
  const ValueId x = m.input("x"), s = m.add("Sigmoid", {x});
  expect_fused(m.graph({m.add("Mul", {s, m.add("Neg", {x})})}), "Sigmoid Neg Mul");
  Maker shared;
  const ValueId v = shared.input("x"), sigmoid = shared.add("Sigmoid", {v});
  const ValueId product = shared.add("Mul", {v, sigmoid});
  expect_fused(shared.graph({shared.add("Add", {product, sigmoid})}), "Sigmoid Mul Add");
}

TEST(FuseActivations, ClippedLineTimesItsInputIsHardSwish) {
  for (const bool divides : {false, true}) {
    Maker m;
    const ValueId x = m.input("x");
    const ValueId sum = divides ? m.add("Add", {x, m.number(3)}) : m.add("Add", {m.number(3), x});
    const ValueId clip = m.add("Clip", {sum, m.number(0), m.number(6)});
    const ValueId product = divides ? m.add("Mul", {x, clip}) : m.add("Mul", {clip, x});
    const ValueId y = divides ? m.add("Div", {product, m.number(6)})
                              : m.add("Mul", {m.number(1.0F / 6), product});
    expect_fused(m.graph({y}), "HardSwish");
  }
  for (int other = 0; other < 4; ++other) {  // another bound, line, factor or input
    Maker m;
    const ValueId x = m.input("x");
    const ValueId sum = m.add("Add", {x, m.number(other == 0 ? 2.0F : 3.0F)});
    const ValueId clip = m.add("Clip", {sum, m.number(0), m.number(other == 1 ? 5.0F : 6.0F)});
    const ValueId product = m.add("Mul", {other == 2 ? sum : x, clip});
    const ValueId y =
        other == 3 ? m.add("Div", {m.number(6), product}) : m.add("Div", {product, m.number(6)});
    expect_fused(m.graph({y}), "Add Clip Mul Div");
  }
}

TEST(FuseActivations, ErfInAnyOrderIsGelu) {
  for (int order = 0; order < 4; ++order) {
    Maker m;
    const ValueId x = m.input("x");
    const ValueId scaled = order % 2 == 0 ? m.add("Div", {x, m.number(std::sqrt(2.0F))})
                                          : m.add("Mul", {m.number(std::sqrt(0.5F)), x});
    const ValueId sum = m.add("Add", {m.add("Erf", {scaled}), m.number(1)});
    ValueId y = kNoValue;
    if (order == 0) y = m.add("Mul", {m.add("Mul", {x, sum}), m.number(0.5F)});
    if (order == 1) y = m.add("Mul", {m.add("Mul", {x, m.number(0.5F)}), sum});
    if (order == 2) y = m.add("Mul", {x, m.add("Mul", {m.number(0.5F), sum})});
    if (order == 3) y = m.add("Mul", {m.number(0.5F), m.add("Mul", {sum, x})});
    expect_fused(m.graph({y}), "Gelu");
  }
  Maker other;  // not the half
  const ValueId x = other.input("x");
  const ValueId erf = other.add("Erf", {other.add("Div", {x, other.number(std::sqrt(2.0F))})});
  const ValueId sum = other.add("Add", {erf, other.number(1)});
  expect_fused(other.graph({other.add("Mul", {other.add("Mul", {x, sum}), other.number(0.4F)})}),
               "Div Erf Add Mul Mul");
}

// What is given out is not fused away.
TEST(FuseActivations, KeepsOutputs) {
  Maker m;
  const ValueId x = m.input("x"), s = m.add("Sigmoid", {x}), y = m.add("Mul", {x, s});
  expect_fused(m.graph({y, s}), "Sigmoid Mul");
}

}  // namespace
}  // namespace pbatch
