// What becomes of nodes that depend on constants alone.
#include "run/fold_constants.h"

#include <gtest/gtest.h>

#include "graph/subgraphs.h"
#include "pbatch/quantize.h"
#include "run/simplify.h"
#include "tests/support/control_flow.h"

namespace pbatch {
namespace {

using namespace testing;

onnx::TensorProto& integer_tensor(GraphFiller& graph, const std::string& name,
                                  const std::vector<std::int64_t>& values) {
  onnx::TensorProto& made =
      graph.initializer(name, {static_cast<std::int64_t>(values.size())}, kInt64);
  for (const std::int64_t v : values) made.add_int64_data(v);
  return made;
}

// Bytes of all constants that are left, at every depth, each memory once.
std::int64_t constant_bytes(const ModelBuilder& builder) {
  Result<Graph> graph = builder.import();
  EXPECT_TRUE(graph) << graph.status().to_line();
  const Status status = simplify(*graph);
  EXPECT_TRUE(status) << status.to_line();
  std::int64_t bytes = 0;
  visit_graphs(*graph, [&](const Graph& g) {
    for (const Value& v : g.values) {
      if (v.constant) bytes += static_cast<std::int64_t>(v.constant->bytes());
    }
  });
  return bytes;
}

// Adds to x what the caller's node "big", a [512, 512] of floats, has at the place x names.
void finish(ModelBuilder& builder) {
  builder.input("i", {1}, kInt64);
  free_dims(builder.output("y"), 2);
  builder.node("Gather", {"big", "i"}, {"y"});
}

void add_value(onnx::NodeProto& node, float value) {
  onnx::AttributeProto& attribute = add_attribute(node, "value", onnx::AttributeProto::TENSOR);
  attribute.mutable_t()->set_data_type(onnx::TensorProto::FLOAT);
  attribute.mutable_t()->add_dims(1);
  attribute.mutable_t()->add_float_data(value);
}

void expect_row(const ModelBuilder& builder, std::int64_t row, const std::vector<float>& want) {
  const auto y = must_run(builder, {{"i", int64s({row})}});
  ASSERT_EQ(y[0].shape(), (Shape{1, 512}));
  EXPECT_EQ(values_of(y[0]), want);
}

TEST(FoldConstants, MasksStayTheNodesThatMakeThem) {
  ModelBuilder builder(14);
  integer_tensor(builder, "s", {512, 512});
  add_value(builder.node("ConstantOfShape", {"s"}, {"ones"}), 1);
  builder.node("Trilu", {"ones"}, {"big"}).add_attribute()->CopyFrom([] {
    onnx::AttributeProto upper;
    upper.set_name("upper");
    upper.set_type(onnx::AttributeProto::INT);
    upper.set_i(0);
    return upper;
  }());
  finish(builder);
  EXPECT_LE(constant_bytes(builder), 4096);
  std::vector<float> want(512, 0);
  std::fill_n(want.begin(), 4, 1.0F);
  expect_row(builder, 3, want);
}

TEST(FoldConstants, TilesAndExpandedVectorsStayNodes) {
  for (const bool tile : {true, false}) {
    ModelBuilder builder;
    const std::vector<float> row = random_floats(512, 3);
    builder.floats("v", {1, 512}, row);
    integer_tensor(builder, "r", {512, tile ? 1 : 512});
    builder.node(tile ? "Tile" : "Expand", {"v", "r"}, {"big"});
    finish(builder);
    EXPECT_LE(constant_bytes(builder), 8192);
    expect_row(builder, 100, row);
  }
}

TEST(FoldConstants, WhatBroadcastsToMuchStaysANode) {
  ModelBuilder builder;
  const std::vector<float> row = random_floats(512, 3);
  builder.floats("a", {1, 512}, row);
  builder.floats("b", {512, 1}, std::vector<float>(512, 0));
  builder.node("Add", {"a", "b"}, {"big"});
  finish(builder);
  EXPECT_LE(constant_bytes(builder), 8192);
  expect_row(builder, 7, row);
}

TEST(FoldConstants, ASmallResultOfAGreatOneIsFolded) {
  ModelBuilder builder;
  integer_tensor(builder, "s", {512, 512});
  builder.input("x", {1});
  builder.output("y", {1});
  add_value(builder.node("ConstantOfShape", {"s"}, {"ones"}), 2);
  builder.node("ReduceSum", {"ones"}, {"sum"});
  builder.node("Add", {"x", "sum"}, {"y"});
  Result<Graph> graph = builder.import();
  ASSERT_TRUE(graph && simplify(*graph));
  EXPECT_EQ(graph->nodes.size(), 1u);
}

TEST(FoldConstants, ResultsThatNoMemoryHoldsAreNoErrorUntilTheyRun) {
  ModelBuilder builder;
  integer_tensor(builder, "s", {std::int64_t{1} << 25, std::int64_t{1} << 25});
  integer_tensor(builder, "zero", {0});
  integer_tensor(builder, "end", {2});
  add_value(builder.node("ConstantOfShape", {"s"}, {"big"}), 1);
  finish(builder);
  const Result<Session> session = Session::load(write(builder));
  ASSERT_TRUE(session) << session.status().to_line();
  EXPECT_FALSE(session->run(std::vector<NamedTensor>{{"i", int64s({0})}}, Precision::f32()));
}

TEST(FoldConstants, MasksInsideAndCapturedBySubgraphsStayNodes) {
  for (const bool captured : {false, true}) {
    ModelBuilder builder;
    integer_tensor(builder, "s", {512, 512});
    builder.input("c", {}, kBool);
    builder.input("i", {1}, kInt64);
    free_dims(builder.output("y"), 2);
    if (captured) add_value(builder.node("ConstantOfShape", {"s"}, {"big"}), 5);
    onnx::NodeProto& node = builder.node("If", {"c"}, {"y"}, "choice");
    for (const char* name : {"then_branch", "else_branch"}) {
      GraphFiller branch = subgraph(node, name);
      const std::string made = std::string(name) + "_y";
      if (!captured) {
        add_value(branch.node("ConstantOfShape", {"s"}, {(made + "_big").c_str()}), 5);
      }
      branch.node("Gather", {captured ? "big" : (made + "_big").c_str(), "i"}, {made.c_str()});
      free_dims(branch.output(made), 2);
    }
    EXPECT_LE(constant_bytes(builder), 4096) << captured;
    const auto y = must_run(builder, {{"c", boolean(true)}, {"i", int64s({9})}});
    EXPECT_EQ(values_of(y[0]), std::vector<float>(512, 5));
  }
}

TEST(FoldConstants, TheDataFileHoldsNoMask) {
  ModelBuilder builder;
  integer_tensor(builder, "s", {512, 512});
  builder.floats("w", {64, 64}, random_floats(4096, 1));
  free_dims(builder.input("x", {}), 2);
  free_dims(builder.output("z"), 2);
  builder.node("MatMul", {"x", "w"}, {"z"}, "fc");
  add_value(builder.node("ConstantOfShape", {"s"}, {"big"}), 5);
  finish(builder);
  const std::string out = temp_path("small.onnx");
  const auto report = quantize_file(write(builder), out, {});
  ASSERT_TRUE(report) << report.status().to_line();
  EXPECT_LT(report->data_bytes, 16384);
  const Result<Session> session = Session::load(out);
  ASSERT_TRUE(session) << session.status().to_line();
  const auto made = session->run(
      std::vector<NamedTensor>{{"x", tensor_of({1, 64}, random_floats(64, 4))}, {"i", int64s({1})}},
      Precision::bits(8));
  ASSERT_TRUE(made) << made.status().to_line();
  EXPECT_EQ(values_of(made->at(1)), std::vector<float>(512, 5));
}

}  // namespace
}  // namespace pbatch
