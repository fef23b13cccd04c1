// SequenceMap over a sequence that is known, read from a file, becomes its body for each element.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "graph/passes.h"
#include "tests/onnx/model_builder.h"

namespace pbatch::testing {
namespace {

// a, b -> sequence; for each element e: e + t, e (an input handed on); -> concatenations y, z.
ModelBuilder mapping() {
  ModelBuilder builder(17);
  for (const char* name : {"a", "b", "t"}) builder.input(name, {2});
  builder.output("y", {4});
  builder.output("z", {4});
  builder.node("SequenceConstruct", {"a", "b"}, {"s"});
  onnx::NodeProto& map = builder.node("SequenceMap", {"s", "t"}, {"u", "v"}, "map");
  GraphFiller body = subgraph(map, "body");
  body.input("e", {2});
  body.input("o", {2});
  body.output("r", {2});
  body.output("e", {2});
  body.node("Add", {"e", "o"}, {"r"}, "add");
  for (const auto& [from, to] : {std::pair("u", "y"), std::pair("v", "z")}) {
    onnx::NodeProto& joined = builder.node("ConcatFromSequence", {from}, {to}, to);
    add_attribute(joined, "axis", onnx::AttributeProto::INT).set_i(0);
  }
  return builder;
}

const Node* find_node(const Graph& graph, const std::string& name) {
  for (const Node& node : graph.nodes) {
    if (node.name == name) return &node;
  }
  return nullptr;
}

std::vector<std::string> names_of(const Graph& graph, const std::vector<ValueId>& ids) {
  std::vector<std::string> result;
  for (const ValueId id : ids) result.push_back(graph.values[static_cast<std::size_t>(id)].name);
  return result;
}

TEST(SequenceMap, IsItsBodyForEachElement) {
  Result<Graph> graph = mapping().import();
  ASSERT_TRUE(graph) << graph.status().to_line();
  const Status resolved = resolve_sequences(*graph);
  ASSERT_TRUE(resolved) << resolved.to_line();
  ASSERT_TRUE(sort_topologically(*graph));
  ASSERT_EQ(graph->nodes.size(), 4U);
  const Node* const first = find_node(*graph, "map/body/0/add");
  const Node* const second = find_node(*graph, "map/body/1/add");
  const Node* const y = find_node(*graph, "y");
  const Node* const z = find_node(*graph, "z");
  ASSERT_TRUE(first != nullptr && second != nullptr && y != nullptr && z != nullptr);
  EXPECT_EQ(names_of(*graph, first->inputs), (std::vector<std::string>{"a", "t"}));
  EXPECT_EQ(names_of(*graph, second->inputs), (std::vector<std::string>{"b", "t"}));
  EXPECT_EQ(y->inputs, (std::vector<ValueId>{first->outputs[0], second->outputs[0]}));
  EXPECT_EQ(names_of(*graph, z->inputs), (std::vector<std::string>{"a", "b"}));
}

TEST(SequenceMap, ConstantsOfItsBodyAreThereOnce) {
  ModelBuilder builder = mapping();
  onnx::NodeProto& map = *builder.graph().mutable_node(1);
  GraphFiller body(*map.mutable_attribute(0)->mutable_g());
  body.floats("w", {2}, {1, 2});
  *body.graph().mutable_node(0)->mutable_input(1) = "w";
  Result<Graph> graph = builder.import();
  ASSERT_TRUE(graph) << graph.status().to_line();
  ASSERT_TRUE(resolve_sequences(*graph));
  const Node* const first = find_node(*graph, "map/body/0/add");
  const Node* const second = find_node(*graph, "map/body/1/add");
  ASSERT_TRUE(first != nullptr && second != nullptr);
  EXPECT_EQ(first->inputs[1], second->inputs[1]);
  EXPECT_NE(graph->constant(first->inputs[1]), nullptr);
}

TEST(SequenceMap, ThatHasNoMeaningIsRefused) {
  const auto refused = [](const ModelBuilder& builder, ErrorCode code, const std::string& part) {
    Result<Graph> graph = builder.import();
    ASSERT_TRUE(graph) << graph.status().to_line();
    const Status status = resolve_sequences(*graph);
    EXPECT_EQ(status.code(), code) << part;
    EXPECT_NE(status.to_line().find(part), std::string::npos) << status.to_line();
  };
  ModelBuilder bare = mapping();
  bare.graph().mutable_node(1)->clear_attribute();
  refused(bare, ErrorCode::malformed, "has no body");

  ModelBuilder fewer = mapping();
  fewer.graph().mutable_node(1)->mutable_input()->RemoveLast();
  refused(fewer, ErrorCode::malformed, "other inputs or outputs");

  ModelBuilder lengths = mapping();
  lengths.node("SequenceConstruct", {"a"}, {"short"});
  *lengths.graph().mutable_node(1)->mutable_input(1) = "short";
  refused(lengths, ErrorCode::malformed, "different lengths");

  ModelBuilder lacking = mapping();
  lacking.graph().mutable_node(1)->mutable_input(1)->clear();
  refused(lacking, ErrorCode::malformed, "lacks an input");

  ModelBuilder unknown = mapping();
  unknown.graph().mutable_node(0)->set_op_type("SplitToSequence");
  unknown.graph().mutable_node(0)->mutable_input()->RemoveLast();
  refused(unknown, ErrorCode::unsupported, "not known before the run");

  ModelBuilder many = mapping();
  for (int i = 0; i < 600; ++i) many.graph().mutable_node(0)->add_input("a");
  GraphFiller body(*many.graph().mutable_node(1)->mutable_attribute(0)->mutable_g());
  for (int i = 0; i < 600; ++i) body.node("Relu", {"r"}, {("q" + std::to_string(i)).c_str()});
  refused(many, ErrorCode::unsupported, "too many nodes");
}

}  // namespace
}  // namespace pbatch::testing
