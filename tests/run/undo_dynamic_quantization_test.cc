// Products of what was quantized while running become products of the floats.
#include <gtest/gtest.h>

#include <string>

#include "graph/passes.h"
#include "tests/support/graph_maker.h"

namespace pbatch {
namespace {

using testing::expect_same_function;
using testing::GraphMaker;
using testing::random_floats;
using testing::tensor_of;

constexpr std::int64_t kInt32 = 6, kFloat = 1;

class QuantizedMaker : public GraphMaker {
 public:
  ValueId constant(Tensor value) {
    Graph& g = graph({});
    return g.add_value(
        {.name = "c" + std::to_string(g.values.size()), .constant = std::move(value)});
  }
  ValueId bytes(Shape shape) {
    Result<Tensor> t = Tensor::create(DType::i8, std::move(shape));
    for (std::int64_t i = 0; i < t->size(); ++i) {
      t->mutable_data<std::int8_t>()[i] = static_cast<std::int8_t>(i * 37 % 255 - 127);
    }
    return constant(*std::move(t));
  }
  // Scaled codes of x, and what they are scaled by.
  std::vector<ValueId> quantized(ValueId x) {
    add("DynamicQuantizeLinear", {x});
    Graph& g = graph({});
    std::vector<ValueId>& outputs = g.nodes.back().outputs;
    while (outputs.size() < 3) {
      outputs.push_back(g.add_value({.name = "q" + std::to_string(g.values.size())}));
    }
    return outputs;
  }
};

// As a quantizer writes a convolution with a bias: the bias is rounded to steps of both scales.
// Or, if `of_weights`, of the weights alone, which is another number at every other input.
void expect_undone(const char* rounding, bool of_weights, const std::string& wanted,
                   double tolerance) {
  QuantizedMaker m;
  const std::vector<ValueId> x = m.quantized(m.input("x"));
  const ValueId w_scale = m.constant(tensor_of({}, {0.01F}));
  const ValueId scale = m.add("Mul", {x[1], w_scale});
  ValueId bias = m.add("Div", {m.floats({4}, 2), of_weights ? w_scale : scale});
  if (rounding[0] != '\0') bias = m.add(rounding, {bias});
  bias = m.add("Cast", {bias}, {{"to", kInt32}});
  bias = m.add("Reshape", {bias, m.integers({1, 4, 1, 1})});
  const ValueId conv = m.add("ConvInteger", {x[0], m.bytes({4, 3, 3, 3}), x[2]});
  const ValueId sum = m.add("Cast", {m.add("Add", {conv, bias})}, {{"to", kFloat}});
  Graph& graph = m.graph({m.add("Mul", {sum, scale})});
  expect_same_function(graph, undo_dynamic_quantization,
                       tensor_of({1, 3, 8, 9}, random_floats(216, 3)), wanted, tolerance);
}

TEST(UndoDynamicQuantization, TakesTheRoundingOfABiasAlong) {
  const double steps = 0.1;  // of the activations' codes, 27 of which are added up
  expect_undone("Floor", false, "Mul Div Identity Identity Reshape Conv Add Identity Mul", steps);
  expect_undone("Round", false, "Mul Div Identity Identity Reshape Conv Add Identity Mul", steps);
  expect_undone("", false, "Mul Div Identity Reshape Conv Add Identity Mul", steps);
}

TEST(UndoDynamicQuantization, LeavesABiasInOtherSteps) {
  expect_undone("Floor", true,
                "DynamicQuantizeLinear Mul Div Floor Cast Reshape ConvInteger Add Cast Mul", 0);
}

// Integers that something else makes are no rounded bias: all stays.
TEST(UndoDynamicQuantization, LeavesOtherSumsOfIntegers) {
  QuantizedMaker m;
  const std::vector<ValueId> x = m.quantized(m.input("x"));
  const ValueId w = m.bytes({4, 3, 3, 3});
  const ValueId first = m.add("ConvInteger", {x[0], w, x[2]});
  const ValueId second = m.add("ConvInteger", {x[0], w, x[2]});
  const ValueId sum = m.add("Cast", {m.add("Add", {first, second})}, {{"to", kFloat}});
  expect_same_function(m.graph({sum}), undo_dynamic_quantization,
                       tensor_of({1, 3, 8, 9}, random_floats(216, 3)),
                       "DynamicQuantizeLinear ConvInteger ConvInteger Add Cast", 0);
}

}  // namespace
}  // namespace pbatch
