// Integers on their way through float64, which is computed in float32.
#include <gtest/gtest.h>

#include "tests/support/control_flow.h"

namespace pbatch {
namespace {

using namespace testing;

onnx::NodeProto& cast_graph(GraphFiller& graph, const char* from, const char* to, int type) {
  onnx::NodeProto& node = graph.node("Cast", {from}, {to});
  add_attribute(node, "to", onnx::AttributeProto::INT).set_i(type);
  return node;
}

// n -> float64 -> times `factor` -> int64.
ModelBuilder cast_model(double factor) {
  ModelBuilder builder;
  free_dims(builder.input("n", {}, kInt64), 1);
  free_dims(builder.output("y", {}, kInt64), 1);
  builder.initializer("f", {}, onnx::TensorProto::DOUBLE).add_double_data(factor);
  cast_graph(builder, "n", "d", onnx::TensorProto::DOUBLE);
  builder.node("Mul", {"d", "f"}, {"m"});
  builder.node("Floor", {"m"}, {"w"});
  cast_graph(builder, "w", "y", kInt64);
  return builder;
}

TEST(Float64Cast, IsExactWhereFloat32Is) {
  const auto y = must_run(cast_model(0.5), {{"n", int64s({0, -7, 16777215})}});
  EXPECT_EQ(integers_of(y[0]), (std::vector<std::int64_t>{0, -4, 8388607}));
}

TEST(Float64Cast, RefusesWhatFloat32CannotTell) {
  expect_error(cast_model(1), {{"n", int64s({5, 16777217})}}, "float64");  // on the way in
  expect_error(cast_model(4), {{"n", int64s({5, 12345678})}}, "float64");  // on the way out
  expect_error(cast_model(1), {{"n", int64s({-123456789})}}, "float64");
}

TEST(Float64Cast, OfFloat32IsNoneOfThat) {
  ModelBuilder builder;
  free_dims(builder.input("n", {}, kInt64), 1);
  free_dims(builder.output("y", {}, kInt64), 1);
  cast_graph(builder, "n", "f", onnx::TensorProto::FLOAT);
  cast_graph(builder, "f", "y", kInt64);
  const auto y = must_run(builder, {{"n", int64s({16777217})}});
  EXPECT_EQ(integers_of(y[0]), std::vector<std::int64_t>{16777216});  // as float32 has it
}

TEST(Float64Cast, IsFoundInSubgraphsToo) {
  ModelBuilder builder;
  builder.input("c", {}, kBool);
  free_dims(builder.input("n", {}, kInt64), 1);
  free_dims(builder.output("y", {}, kInt64), 1);
  cast_graph(builder, "n", "d", onnx::TensorProto::DOUBLE);
  onnx::NodeProto& node = builder.node("If", {"c"}, {"y"}, "choice");
  GraphFiller then_branch = subgraph(node, "then_branch");
  cast_graph(then_branch, "d", "t", kInt64);
  free_dims(then_branch.output("t", {}, kInt64), 1);
  GraphFiller else_branch = subgraph(node, "else_branch");
  else_branch.node("Neg", {"n"}, {"e"});
  free_dims(else_branch.output("e", {}, kInt64), 1);
  expect_error(builder, {{"c", boolean(true)}, {"n", int64s({std::int64_t{1} << 25})}}, "float64");
}

}  // namespace
}  // namespace pbatch
