// Networks inside of nodes: read, refused, written.
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "graph/passes.h"
#include "graph/subgraphs.h"
#include "onnx/export.h"
#include "tests/onnx/model_builder.h"

namespace pbatch {
namespace {

using testing::find_value;
using testing::GraphFiller;
using testing::ModelBuilder;
using testing::subgraph;

// x, c -> If "choice": then y = x + w, else y = -x, with w a constant of the model.
struct IfModel : ModelBuilder {
  IfModel() {
    input("x", {2});
    input("c", {}, onnx::TensorProto::BOOL);
    output("y", {2});
    floats("w", {2}, {1, 2});
    choice = &node("If", {"c"}, {"y"}, "choice");
    GraphFiller then_branch = subgraph(*choice, "then_branch");
    then_branch.node("Add", {"x", "w"}, {"sum"}, "add");
    then_branch.output("sum", {2});
    GraphFiller else_branch = subgraph(*choice, "else_branch");
    else_branch.node("Neg", {"x"}, {"less"});
    else_branch.output("less", {2});
  }
  onnx::GraphProto& branch(int i) { return *choice->mutable_attribute(i)->mutable_g(); }
  onnx::NodeProto* choice;
};

std::string names(const Graph& graph, const std::vector<ValueId>& ids) {
  std::string text;
  for (const ValueId id : ids) text += graph.values[static_cast<std::size_t>(id)].name + " ";
  return text;
}

TEST(OnnxSubgraph, WhatItUsesOfTheGraphAroundIsAnInput) {
  const Result<Graph> graph = IfModel().import();
  ASSERT_TRUE(graph) << graph.status().to_line();
  ASSERT_EQ(graph->nodes.size(), 1u);
  const Node& node = graph->nodes[0];
  EXPECT_EQ(node.captures, 1u);
  EXPECT_EQ(names(*graph, node.inputs), "c x ");
  const Graph& then_branch = *node.subgraphs.at("then_branch");
  EXPECT_EQ(names(then_branch, then_branch.inputs), "x ");
  EXPECT_EQ(then_branch.nodes[0].name, "choice/then/add");
  EXPECT_EQ(node.subgraphs.at("else_branch")->nodes[0].name, "choice/else/Neg_0");
  // A constant around is one inside.
  ASSERT_NE(find_value(then_branch, "w"), nullptr);
  ASSERT_TRUE(find_value(then_branch, "w")->constant);
  EXPECT_EQ(find_value(then_branch, "w")->constant->raw(),
            find_value(*graph, "w")->constant->raw());
}

// `depth` Ifs, each in the branches of the one before; the innermost uses x of the outermost graph.
ModelBuilder nested(int depth) {
  ModelBuilder builder;
  builder.input("x", {2});
  builder.input("c", {}, onnx::TensorProto::BOOL);
  builder.output("y0", {2});
  std::vector<GraphFiller> graphs{builder};
  for (int level = 0; level < depth; ++level) {
    const std::string out = "y" + std::to_string(level), in = "y" + std::to_string(level + 1);
    onnx::NodeProto& node = graphs.back().node("If", {"c"}, {out.c_str()}, "if");
    GraphFiller else_branch = subgraph(node, "else_branch");
    else_branch.node("Neg", {"x"}, {"n"});
    else_branch.output("n", {2});
    graphs.push_back(subgraph(node, "then_branch"));
    graphs.back().output(in, {2});
  }
  graphs.back().node("Abs", {"x"}, {("y" + std::to_string(depth)).c_str()}, "abs");
  return builder;
}

TEST(OnnxSubgraph, Nested) {
  const Result<Graph> graph = nested(3).import();
  ASSERT_TRUE(graph) << graph.status().to_line();
  std::string last;
  visit_nodes(*graph, [&](const Node& node) {
    if (node.op_type == "Abs") last = node.name;
  });
  EXPECT_EQ(last, "if/then/if/then/if/then/abs");
}

TEST(OnnxSubgraph, NestedTooDeeply) {
  EXPECT_TRUE(nested(16).import());
  nested(17).expect_error(ErrorCode::unsupported, "nested more than 16 deep");
}

TEST(OnnxSubgraph, OrderAndMakersOutsideAreFoundLater) {
  ModelBuilder builder;
  builder.input("x", {2});
  builder.input("c", {}, onnx::TensorProto::BOOL);
  builder.output("y", {2});
  onnx::NodeProto& node = builder.node("If", {"c"}, {"y"}, "choice");
  for (const char* name : {"then_branch", "else_branch"}) {
    GraphFiller branch = subgraph(node, name);
    branch.node("Neg", {"made_later"}, {"n"});
    branch.output("n", {2});
  }
  builder.node("Abs", {"x"}, {"made_later"}, "abs");
  const Result<Graph> graph = builder.import();
  ASSERT_TRUE(graph) << graph.status().to_line();
  EXPECT_EQ(graph->nodes[0].name, "abs");
}

TEST(OnnxSubgraph, BadOnes) {
  {
    IfModel model;
    model.branch(0).mutable_output(0)->set_name("nobody");
    model.expect_error(ErrorCode::malformed,
                       "node 'choice': subgraph 'then_branch': nothing makes");
  }
  {
    IfModel model;  // handed on without an operator
    model.branch(0).mutable_output(0)->set_name("x");
    model.expect_error(ErrorCode::malformed, "subgraph 'then_branch': nothing makes");
  }
  {
    IfModel model;
    model.branch(1).clear_output();
    model.expect_error(ErrorCode::malformed, "subgraph 'else_branch': it has no outputs");
  }
  {
    IfModel model;
    model.branch(0).mutable_node(0)->set_input(1, "nobody");
    model.expect_error(ErrorCode::malformed, "'nobody' of If is made by no node");
    EXPECT_EQ(model.import().status().node(), "choice");
  }
  {
    IfModel model;
    model.choice->mutable_attribute(1)->set_name("other_branch");
    model.expect_error(ErrorCode::malformed, "lacks its subgraph 'else_branch'");
  }
  {
    IfModel model;
    model.choice->mutable_attribute(1)->set_name("then_branch");
    model.expect_error(ErrorCode::malformed, "'then_branch' is there twice");
  }
  {
    IfModel model;
    model.choice->add_input("x");
    model.expect_error(ErrorCode::malformed, "does not have one input");
  }
  {
    IfModel model;
    GraphFiller(model.branch(0)).input("z", {2});
    model.expect_error(ErrorCode::malformed, "of 1 inputs, not 0");
  }
  {
    IfModel model;
    model.choice->add_output("second");
    model.expect_error(ErrorCode::malformed, "of 1 outputs, not 2");
  }
  {
    IfModel model;
    auto& type = *model.branch(1).mutable_output(0)->mutable_type()->mutable_tensor_type();
    type.set_elem_type(onnx::TensorProto::INT64);
    model.expect_error(ErrorCode::malformed, "is float32 in one branch and int64 in the other");
  }
  {
    IfModel model;  // what is declared is not so
    for (int b = 0; b < 2; ++b) {
      auto& type = *model.branch(b).mutable_output(0)->mutable_type()->mutable_tensor_type();
      type.set_elem_type(onnx::TensorProto::INT64);
    }
    model.branch(0).clear_node();
    GraphFiller(model.branch(0)).floats(model.branch(0).output(0).name(), {2}, {1, 2});
    model.expect_error(ErrorCode::malformed, "is float32 in one branch and int64 in the other");
  }
  {
    IfModel model;
    model.branch(0).mutable_node(0)->add_input("sum");
    model.expect_error(ErrorCode::malformed, "node 'choice/then/add': the graph has a cycle");
  }
}

TEST(OnnxSubgraph, BadBodies) {
  const auto loop = [](int inputs, int outputs, const std::string& op = "Loop") {
    ModelBuilder builder;
    builder.input("m", {}, onnx::TensorProto::INT64);
    builder.input("c", {}, onnx::TensorProto::BOOL);
    builder.input("x", {2});
    builder.output("y", {2});
    onnx::NodeProto& node = builder.node(op, {"m", "c", "x"}, {"y"}, "loop");
    GraphFiller body = subgraph(node, "body");
    for (int i = 0; i < inputs; ++i) body.input("i" + std::to_string(i), {});
    for (int i = 0; i < outputs; ++i) {
      const std::string out = "o" + std::to_string(i);
      body.node("Neg", {"x"}, {out.c_str()});
      body.output(out);
    }
    return builder;
  };
  EXPECT_TRUE(loop(3, 2).import());
  loop(2, 2).expect_error(ErrorCode::malformed, "'body' of 2 inputs, not 3");
  loop(3, 1).expect_error(ErrorCode::malformed, "'body' of 1 outputs, not 2 or more");
  loop(3, 3, "Scan").expect_error(ErrorCode::malformed, "num_scan_inputs is 0");
}

TEST(OnnxSubgraph, WrittenAndReadBack) {
  Result<Graph> graph = IfModel().import();
  ASSERT_TRUE(graph) << graph.status().to_line();
  const Result<std::string> bytes = export_onnx(*graph, nullptr);
  ASSERT_TRUE(bytes) << bytes.status().to_line();
  onnx::ModelProto model;
  ASSERT_TRUE(model.ParseFromString(*bytes));
  const onnx::NodeProto& node = model.graph().node(0);
  ASSERT_EQ(node.input_size(), 1);  // captured values are none in the file
  ASSERT_EQ(node.attribute_size(), 2);
  for (const onnx::AttributeProto& attribute : node.attribute()) {
    EXPECT_EQ(attribute.g().input_size(), 0);
    EXPECT_EQ(attribute.g().initializer_size(), 0);  // w stands outside
  }
  EXPECT_EQ(model.graph().initializer_size(), 1);
  const Result<Graph> again = import_onnx_bytes(bytes->data(), bytes->size(), "again.onnx");
  ASSERT_TRUE(again) << again.status().to_line();
  EXPECT_EQ(again->nodes[0].subgraphs.at("then_branch")->nodes[0].name, "choice/then/add");
  const Result<std::string> twice = export_onnx(*again, nullptr);
  ASSERT_TRUE(twice);
  EXPECT_EQ(*twice, *bytes);
}

TEST(OnnxSubgraph, NamesFollowTheGraphAround) {
  IfModel model;
  model.graph().mutable_node(0)->set_input(0, "c");
  // x reaches the If through a copy; both branches name a value of their own "t".
  model.node("Identity", {"x"}, {"copy"}, "copy");
  for (int i = 0; i < 2; ++i) {
    onnx::GraphProto& branch = model.branch(i);
    branch.mutable_node(0)->set_input(0, "t");
    GraphFiller(branch).node("Abs", {"copy"}, {"t"});
  }
  Result<Graph> graph = model.import();
  ASSERT_TRUE(graph) << graph.status().to_line();
  ASSERT_TRUE(remove_unused(*graph));
  EXPECT_EQ(names(*graph, graph->nodes[0].inputs), "c x ");
  const Result<std::string> bytes = export_onnx(*graph, nullptr);
  ASSERT_TRUE(bytes) << bytes.status().to_line();
  onnx::ModelProto written;
  ASSERT_TRUE(written.ParseFromString(*bytes));
  std::set<std::string> made;
  for (const onnx::AttributeProto& attribute : written.graph().node(0).attribute()) {
    for (const onnx::NodeProto& node : attribute.g().node()) {
      if (node.op_type() == "Abs") {
        EXPECT_EQ(node.input(0), "x");
      }
      EXPECT_TRUE(made.insert(node.output(0)).second) << node.output(0);
    }
  }
  EXPECT_TRUE(import_onnx_bytes(bytes->data(), bytes->size(), "again.onnx"));
}

}  // namespace
}  // namespace pbatch
