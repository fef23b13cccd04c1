// Tensors of ONNX's element types of fewer than 8 bits and of its floats of 8, which are held as
// wider ones.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/onnx/model_builder.h"

namespace pbatch {
namespace {

using testing::find_value;
using testing::GraphFiller;
using testing::ModelBuilder;

constexpr int kE4m3 = 17, kE5m2 = 19, kUint4 = 21, kInt4 = 22;

Result<Tensor> import_tensor(const onnx::TensorProto& proto) {
  const std::string bytes = proto.SerializeAsString();
  return import_tensor_proto(bytes.data(), bytes.size());
}

onnx::TensorProto three(int code) {
  onnx::TensorProto proto;
  proto.set_data_type(code);
  proto.add_dims(3);
  return proto;
}

template <class T>
std::vector<T> elements(const Result<Tensor>& tensor) {
  EXPECT_TRUE(tensor) << tensor.status().to_line();
  const auto span = tensor->span<T>();
  return {span.begin(), span.end()};
}

// Three integers of 4 bits in two bytes, as ONNX packs them: -1, -8 and 7.
TEST(NarrowTensor, RawOrTypedOfTheRightLength) {
  onnx::TensorProto raw = three(kInt4), typed = three(kInt4);
  raw.set_raw_data("\x8f\x07");
  typed.add_int32_data(0x8f);
  typed.add_int32_data(0x07);
  const std::vector<std::int8_t> wanted = {-1, -8, 7};
  EXPECT_EQ(elements<std::int8_t>(import_tensor(raw)), wanted);
  EXPECT_EQ(elements<std::int8_t>(import_tensor(typed)), wanted);

  raw.set_raw_data("\x8f\x07\x01");
  EXPECT_EQ(import_tensor(raw).status().code(), ErrorCode::malformed);
  typed.add_int32_data(1);
  EXPECT_EQ(import_tensor(typed).status().code(), ErrorCode::malformed);
  typed.mutable_int32_data()->Truncate(2);
  typed.set_int32_data(1, 256);
  EXPECT_EQ(import_tensor(typed).status().code(), ErrorCode::malformed);

  onnx::TensorProto floats = three(kE4m3);
  for (const int code : {0x38, 0xc0, 0x7e}) floats.add_int32_data(code);
  EXPECT_EQ(elements<float>(import_tensor(floats)), (std::vector<float>{1, -2, 448}));
}

// 2^62 of 4 bits are 2^61 bytes, not 2^64 mod 2^64.
TEST(NarrowTensor, MoreElementsThanBitsCanBeCounted) {
  for (const int code : {kInt4, kUint4, kE4m3}) {
    onnx::TensorProto proto;
    proto.set_data_type(code);
    proto.add_dims(code == kE4m3 ? std::int64_t{1} << 60 : std::int64_t{1} << 62);
    EXPECT_EQ(import_tensor(proto).status().code(), ErrorCode::malformed) << code;
    proto.set_raw_data("");
    EXPECT_EQ(import_tensor(proto).status().code(), ErrorCode::malformed) << code;
  }
}

TEST(NarrowTensor, OfAnotherFile) {
  const testing::TemporaryFolder folder;
  folder.write("w.bin", "\x99\x21\x43");  // the first byte is another's
  ModelBuilder builder = testing::relu_model();
  onnx::TensorProto& w = builder.initializer("w", {4}, kUint4);
  w.set_data_location(onnx::TensorProto::EXTERNAL);
  const std::pair<const char*, const char*> place[] = {
      {"location", "w.bin"}, {"offset", "1"}, {"length", "2"}};
  for (const auto& [key, value] : place) {
    auto* const entry = w.add_external_data();
    entry->set_key(key);
    entry->set_value(value);
  }
  const Result<Graph> graph = import_onnx(folder.write("model.onnx", builder.bytes()));
  ASSERT_TRUE(graph) << graph.status().to_line();
  EXPECT_EQ(elements<std::uint8_t>(*find_value(*graph, "w")->constant),
            (std::vector<std::uint8_t>{1, 2, 3, 4}));
}

// What is held does not say how narrow it was, so operators that take a type from an input are told
// it.
TEST(NarrowTensor, OperatorsAreToldTheTypeOfAnInput) {
  ModelBuilder builder;
  builder.input("x", {2});
  builder.input("like", {1}, kE5m2);
  builder.floats("scale", {}, {0.5F});
  builder.initializer("zero", {}, kInt4).set_raw_data("\x01");
  builder.node("QuantizeLinear", {"x", "scale", "zero"}, {"q"}, "quantize");
  builder.node("CastLike", {"x", "like"}, {"c"}, "cast");
  builder.output("q", {2}, kInt4);
  builder.output("c", {2}, kE5m2);
  const Result<Graph> graph = builder.import();
  ASSERT_TRUE(graph) << graph.status().to_line();
  ASSERT_EQ(graph->nodes.size(), 2u);
  for (const Node& node : graph->nodes) {
    if (node.name == "quantize") {
      EXPECT_EQ(*node.int_attr("output_dtype", 0), kInt4);
    } else {
      EXPECT_EQ(node.op_type, "Cast");
      EXPECT_EQ(node.inputs.size(), 1u);
      EXPECT_EQ(*node.int_attr("to", 0), kE5m2);
    }
  }
  EXPECT_EQ(find_value(*graph, "q")->dtype, DType::i8);
  EXPECT_EQ(find_value(*graph, "c")->dtype, DType::f32);
}

// Also where the input is a result: of a cast, or of what moves elements.
TEST(NarrowTensor, OperatorsAreToldTheTypeOfAResult) {
  ModelBuilder builder;
  builder.input("x", {2});
  builder.floats("scale", {1}, {0.5F});
  builder.initializer("stored", {1, 1}, kInt4).set_raw_data("\x01");
  builder.initializer("shape", {1}, onnx::TensorProto::INT64).add_int64_data(1);
  builder.node("Reshape", {"stored", "shape"}, {"zero"});
  builder.node("QuantizeLinear", {"x", "scale", "zero"}, {"q"}, "quantize");
  onnx::NodeProto& cast = builder.node("Cast", {"x"}, {"narrow"});
  testing::add_attribute(cast, "to", onnx::AttributeProto::INT).set_i(kE5m2);
  builder.node("CastLike", {"x", "narrow"}, {"c"}, "like_a_cast");
  builder.node("CastLike", {"x", "q"}, {"d"}, "like_codes");
  for (const char* name : {"c", "d"}) builder.output(name, {2});
  const Result<Graph> graph = builder.import();
  ASSERT_TRUE(graph) << graph.status().to_line();
  int told = 0;
  for (const Node& node : graph->nodes) {
    if (node.name == "quantize") {
      EXPECT_EQ(*node.int_attr("output_dtype", 0), kInt4);
      ++told;
    } else if (node.name == "like_a_cast" || node.name == "like_codes") {
      EXPECT_EQ(node.op_type, "Cast");
      EXPECT_EQ(*node.int_attr("to", 0), node.name == "like_codes" ? kInt4 : kE5m2);
      ++told;
    }
  }
  EXPECT_EQ(told, 3);
}

}  // namespace
}  // namespace pbatch
