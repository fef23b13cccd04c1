#include "graph/graph.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "graph/onnx_dtype.h"
#include "tests/graph/graph_builder.h"

namespace pbatch {
namespace {

using testing::GraphBuilder;

TEST(Graph, ProducersAndConsumers) {
  GraphBuilder b;
  const ValueId x = b.input("x");
  const ValueId c = b.constant("c", {2});
  const ValueId sum = b.node("Add", "add", {x, c});
  const ValueId twice = b.node("Add", "twice", {sum, sum});
  b.graph.nodes[1].inputs.push_back(kNoValue);
  b.output(twice);
  EXPECT_EQ(b.graph.producers(), (std::vector<std::int32_t>{-1, -1, 0, 1}));
  const auto consumers = b.graph.consumers();
  EXPECT_EQ(consumers[std::size_t(x)], std::vector<std::int32_t>{0});
  EXPECT_EQ(consumers[std::size_t(sum)], (std::vector<std::int32_t>{1, 1}));
  EXPECT_TRUE(consumers[std::size_t(twice)].empty());
  EXPECT_EQ(b.graph.constant(x), nullptr);
  EXPECT_EQ(b.graph.constant(kNoValue), nullptr);
  EXPECT_EQ(b.graph.constant(99), nullptr);
  ASSERT_NE(b.graph.constant(c), nullptr);
  EXPECT_EQ(b.graph.constant(c)->size(), 2);
}

TEST(Graph, AttributesHaveDefaultsAndTypes) {
  Node node;
  node.name = "n";
  node.op_type = "Op";
  node.attributes["i"] = std::int64_t{3};
  node.attributes["s"] = std::string("text");
  EXPECT_EQ(*node.int_attr("i", 1), 3);
  EXPECT_EQ(*node.int_attr("none", 1), 1);
  EXPECT_EQ(*node.float_attr("none", 0.5f), 0.5f);
  EXPECT_EQ(*node.string_attr("s", ""), "text");
  EXPECT_EQ(*node.ints_attr("none", {4}), std::vector<std::int64_t>{4});
  EXPECT_TRUE(node.has_attr("i"));
  EXPECT_FALSE(node.has_attr("none"));
  for (const Status& status :
       {node.float_attr("i", 0).status(), node.int_attr("s", 0).status(),
        node.string_attr("i", "").status(), node.ints_attr("i", {}).status()}) {
    EXPECT_EQ(status.code(), ErrorCode::malformed);
    EXPECT_EQ(status.node(), "n");
  }
}

TEST(Graph, SortIsStable) {
  GraphBuilder b;
  const ValueId x = b.input("x");
  const ValueId a = b.node("Relu", "a", {x});
  const ValueId c = b.node("Relu", "c", {x});
  const ValueId d = b.node("Add", "d", {a, c});
  b.output(d);
  std::swap(b.graph.nodes[0], b.graph.nodes[2]);  // d, c, a
  ASSERT_TRUE(sort_topologically(b.graph));
  EXPECT_EQ(b.graph.nodes[0].name, "c");
  EXPECT_EQ(b.graph.nodes[1].name, "a");
  EXPECT_EQ(b.graph.nodes[2].name, "d");
}

TEST(Graph, SortRefusesIndicesOutOfRange) {
  for (const ValueId bad : {-2, 7}) {
    GraphBuilder b;
    const ValueId x = b.input("x");
    b.output(b.node("Relu", "r", {x}));
    Graph in = b.graph, out = b.graph, port = b.graph;
    in.nodes[0].inputs[0] = bad;
    EXPECT_EQ(sort_topologically(in).code(), ErrorCode::internal);
    out.nodes[0].outputs[0] = bad;
    EXPECT_EQ(sort_topologically(out).code(), ErrorCode::internal);
    port.outputs[0] = bad;
    EXPECT_EQ(sort_topologically(port).code(), ErrorCode::internal);
  }
}

TEST(OnnxDtype, CodesAreOnnxs) {
  // The numbers of TensorProto.DataType in onnx.proto.
  const std::pair<int, DType> codes[] = {
      {1, DType::f32},  {2, DType::u8},   {3, DType::i8},      {4, DType::u16},  {5, DType::i16},
      {6, DType::i32},  {7, DType::i64},  {9, DType::boolean}, {10, DType::f16}, {11, DType::f64},
      {12, DType::u32}, {13, DType::u64}, {16, DType::bf16}};
  for (const auto& [code, type] : codes) {
    EXPECT_EQ(dtype_from_onnx(code), type);
    EXPECT_EQ(dtype_to_onnx(type), code);
    EXPECT_EQ(onnx_type_name(code), dtype_name(type));
  }
  for (const int code : {-1, 0, 8, 14, 15, 17, 22}) EXPECT_FALSE(dtype_from_onnx(code)) << code;
  EXPECT_EQ(onnx_type_name(8), "string");
  EXPECT_EQ(onnx_type_name(-5), "type -5");
}

}  // namespace
}  // namespace pbatch
