#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "graph/passes.h"
#include "tests/graph/graph_builder.h"

namespace pbatch {
namespace {

using testing::Array;
using testing::expect_same_function;
using testing::GraphBuilder;
using testing::ops;
using testing::random_array;

const std::map<std::string, Array> kInputs = {{"x", random_array({2, 3}, 4)}};

Tensor bool_scalar(std::uint8_t value) {
  Result<Tensor> tensor = Tensor::create(DType::boolean, {});
  EXPECT_TRUE(tensor);
  *tensor->mutable_data<std::uint8_t>() = value;
  return *tensor;
}

TEST(RemoveUnused, DeadNodesAndConstantsGoInputsStay) {
  GraphBuilder b;
  b.constant("unused", {4});
  const ValueId x = b.input("x");
  b.input("spare");
  b.node("Add", "dead2", {b.node("Relu", "dead1", {x}), b.constant("c", {3})});
  b.output(b.node("Add", "live", {x, b.constant("used", {3})}));
  expect_same_function(b.graph, remove_unused, kInputs);
  EXPECT_EQ(ops(b.graph), "Add");
  std::vector<std::string> names;
  for (const Value& value : b.graph.values) names.push_back(value.name);
  EXPECT_EQ(names, (std::vector<std::string>{"x", "spare", "used", "live_out"}));
  EXPECT_EQ(b.graph.inputs.size(), 2u);
}

TEST(RemoveUnused, CopiesInTheMiddle) {
  GraphBuilder b;
  const ValueId a = b.node("Identity", "a", {b.input("x")});
  const ValueId d = b.node("Dropout", "d", {b.node("Identity", "b", {a})});
  const ValueId r = b.node("Relu", "r", {d});
  b.output(b.node("Add", "sum", {r, a}));
  expect_same_function(b.graph, remove_unused, kInputs);
  EXPECT_EQ(ops(b.graph), "Relu Add");
}

TEST(RemoveUnused, CopiesToOutputsLeaveTheirNames) {
  GraphBuilder b;
  const ValueId r = b.node("Relu", "r", {b.input("x")});
  b.output(b.node("Identity", "first", {b.node("Identity", "inner", {r})}));
  b.output(b.node("Identity", "second", {r}));
  b.output(b.node("Add", "sum", {r, r}));
  b.graph.nodes.insert(b.graph.nodes.begin() + 1, b.graph.nodes.back());  // sum before the copies
  b.graph.nodes.pop_back();
  expect_same_function(b.graph, remove_unused, kInputs);
  // Two outputs cannot both take the place of one value.
  EXPECT_EQ(ops(b.graph), "Relu Add Identity");
}

TEST(RemoveUnused, CopiesOfInputsConstantsAndOutputsStay) {
  GraphBuilder b;
  const ValueId x = b.input("x");
  b.output(b.node("Identity", "of_input", {x}));
  b.output(b.node("Identity", "of_constant", {b.constant("c", {2})}));
  const ValueId r = b.node("Relu", "r", {x});
  b.output(r);
  b.output(b.node("Identity", "of_output", {r}));
  expect_same_function(b.graph, remove_unused, kInputs);
  EXPECT_EQ(ops(b.graph), "Identity Identity Relu Identity");
}

TEST(RemoveUnused, DropoutThatTrainsOrShowsItsMaskStays) {
  const auto graph_with = [](std::vector<Tensor> mode, bool use_mask) {
    GraphBuilder b;
    std::vector<ValueId> inputs = {b.input("x")};
    if (!mode.empty()) inputs = {inputs[0], kNoValue, b.constant("mode", mode[0])};
    const ValueId d = b.node("Dropout", "d", inputs);
    Value mask;
    mask.name = "mask";
    const ValueId m = b.graph.add_value(mask);
    b.graph.nodes[0].outputs.push_back(m);
    b.output(b.node("Relu", "r", {d}));
    if (use_mask) b.output(m);
    return b.graph;
  };
  Graph plain = graph_with({}, false), off = graph_with({bool_scalar(0)}, false);
  Graph on = graph_with({bool_scalar(1)}, false), mask = graph_with({}, true);
  for (Graph* g : {&plain, &off, &on, &mask}) ASSERT_TRUE(remove_unused(*g));
  EXPECT_EQ(ops(plain), "Relu");
  EXPECT_EQ(ops(off), "Relu");
  EXPECT_EQ(ops(on), "Dropout Relu");
  EXPECT_EQ(ops(mask), "Dropout Relu");
}

TEST(RemoveUnused, AModeComputedAtRunTimeKeepsTheDropout) {
  GraphBuilder b;
  const ValueId x = b.input("x"), mode = b.input("mode");
  b.output(b.node("Relu", "r", {b.node("Dropout", "d", {x, kNoValue, mode})}));
  ASSERT_TRUE(remove_unused(b.graph));
  EXPECT_EQ(ops(b.graph), "Dropout Relu");
}

}  // namespace
}  // namespace pbatch
