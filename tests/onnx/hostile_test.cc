// Damaged, cut and hostile models: one clear error each.
#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "tests/onnx/model_builder.h"

namespace pbatch {
namespace {

using HostileAttr = onnx::AttributeProto;
using testing::add_attribute;
using testing::ModelBuilder;
using testing::relu_model;
using testing::TemporaryFolder;

Status import_bytes(const std::string& bytes) {
  return import_onnx_bytes(bytes.data(), bytes.size(), "model.onnx").status();
}

TEST(OnnxHostile, EmptyFile) {
  const Status status = import_bytes("");
  EXPECT_EQ(status.code(), ErrorCode::malformed);
  EXPECT_NE(status.to_line().find("empty"), std::string::npos);
}

TEST(OnnxHostile, TextFile) {
  const Status status = import_bytes("version https://git-lfs.github.com/spec/v1\noid sha256:0\n");
  EXPECT_EQ(status.code(), ErrorCode::malformed);
  EXPECT_NE(status.to_line().find("text"), std::string::npos) << status.to_line();
}

TEST(OnnxHostile, DirectoryMissingFileAndDevice) {
  const TemporaryFolder folder;
  const Status directory = import_onnx(folder / ".").status();
  EXPECT_EQ(directory.code(), ErrorCode::io);
  EXPECT_NE(directory.to_line().find("directory"), std::string::npos);
  const Status missing = import_onnx(folder / "none.onnx").status();
  EXPECT_EQ(missing.code(), ErrorCode::not_found);
  EXPECT_EQ(missing.file(), folder / "none.onnx");
  EXPECT_EQ(import_onnx("/dev/null").status().code(), ErrorCode::io);
}

TEST(OnnxHostile, EveryTruncationIsAnError) {
  ModelBuilder builder = relu_model();
  builder.floats("w", {3}, {1, 2, 3});
  add_attribute(*builder.graph().mutable_node(0), "a", HostileAttr::INTS).add_ints(1);
  builder.model.mutable_graph()->set_doc_string("the last field of the graph");
  // The opset stands behind the graph in the file, so no prefix is a whole model.
  const std::string whole = builder.bytes();
  ASSERT_TRUE(import_bytes(whole)) << import_bytes(whole).to_line();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Status status = import_bytes(whole.substr(0, size));
    EXPECT_FALSE(status) << "a model cut to " << size << " of " << whole.size() << " bytes";
    EXPECT_EQ(status.code(), ErrorCode::malformed) << status.to_line();
    EXPECT_FALSE(status.remedy().empty());
  }
}

TEST(OnnxHostile, EveryFlippedBitIsHandled) {
  ModelBuilder builder = relu_model();
  builder.floats("w", {3}, {1, 2, 3});
  const std::string whole = builder.bytes();
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string bytes = whole;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    const Status status = import_bytes(bytes);
    EXPECT_NE(status.code(), ErrorCode::internal) << status.to_line();
  }
}

TEST(OnnxHostile, NoIrVersion) {
  ModelBuilder builder = relu_model();
  builder.model.clear_ir_version();
  builder.expect_error(ErrorCode::malformed, "not a whole ONNX model");
}

TEST(OnnxHostile, NoGraph) {
  ModelBuilder builder;
  builder.model.clear_graph();
  builder.expect_error(ErrorCode::malformed, "no graph");
}

TEST(OnnxHostile, NoOpset) {
  ModelBuilder builder = relu_model();
  builder.model.clear_opset_import();
  builder.expect_error(ErrorCode::malformed, "opset");
}

TEST(OnnxHostile, OpsetsThatCannotBe) {
  for (const std::int64_t version : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1} << 40}) {
    ModelBuilder builder = relu_model();
    builder.model.mutable_opset_import(0)->set_version(version);
    builder.expect_error(ErrorCode::malformed, "opset");
  }
}

TEST(OnnxHostile, TwoVersionsOfOneDomain) {
  ModelBuilder builder = relu_model();
  auto* second = builder.model.add_opset_import();
  second->set_domain("ai.onnx");
  second->set_version(12);
  builder.expect_error(ErrorCode::malformed, "two versions");
}

TEST(OnnxHostile, OldOpset) {
  ModelBuilder builder = relu_model();
  builder.model.mutable_opset_import(0)->set_version(6);
  builder.expect_error(ErrorCode::unsupported, "opset 6");
}

TEST(OnnxHostile, DomainWithoutVersion) {
  ModelBuilder builder = relu_model();
  builder.graph().mutable_node(0)->set_domain("com.example");
  builder.expect_error(ErrorCode::malformed, "'com.example'");
}

TEST(OnnxHostile, Cycle) {
  ModelBuilder builder;
  builder.input("x", {2});
  builder.output("b", {2});
  builder.node("Add", {"x", "b"}, {"a"}, "one");
  builder.node("Relu", {"a"}, {"b"}, "two");
  builder.expect_error(ErrorCode::malformed, "cycle");
  EXPECT_EQ(builder.import().status().node(), "one");
}

TEST(OnnxHostile, NodeThatEatsItsOwnOutput) {
  ModelBuilder builder = relu_model();
  builder.node("Relu", {"z"}, {"z"});
  builder.expect_error(ErrorCode::malformed, "cycle");
}

TEST(OnnxHostile, UndefinedInput) {
  ModelBuilder builder = relu_model();
  builder.node("Relu", {"ghost"}, {"z"}, "lost");
  builder.expect_error(ErrorCode::malformed, "'ghost'");
  EXPECT_EQ(builder.import().status().node(), "lost");
}

TEST(OnnxHostile, UndefinedGraphOutput) {
  ModelBuilder builder = relu_model();
  builder.output("ghost");
  builder.expect_error(ErrorCode::malformed, "'ghost'");
}

TEST(OnnxHostile, OutputNamedByAnInputNobodyMakes) {
  ModelBuilder builder = relu_model();
  builder.node("Relu", {"ghost"}, {"z"}, "lost");
  builder.output("ghost");
  builder.expect_error(ErrorCode::malformed, "'ghost'");
}

TEST(OnnxHostile, NoOutputs) {
  ModelBuilder builder = relu_model();
  builder.graph().clear_output();
  builder.expect_error(ErrorCode::malformed, "no outputs");
}

TEST(OnnxHostile, OutputTwice) {
  ModelBuilder builder = relu_model();
  builder.output("y");
  builder.expect_error(ErrorCode::malformed, "'y' is there twice");
}

TEST(OnnxHostile, InputTwice) {
  ModelBuilder builder = relu_model();
  builder.input("x", {2});
  builder.expect_error(ErrorCode::malformed, "'x' is there twice");
}

TEST(OnnxHostile, InitializerTwice) {
  ModelBuilder builder = relu_model();
  builder.floats("w", {1}, {1});
  builder.floats("w", {1}, {1});
  builder.expect_error(ErrorCode::malformed, "'w' is there twice");
}

TEST(OnnxHostile, NamelessInitializer) {
  ModelBuilder builder = relu_model();
  builder.floats("", {1}, {1});
  builder.expect_error(ErrorCode::malformed, "no name");
}

TEST(OnnxHostile, NamelessInput) {
  ModelBuilder builder = relu_model();
  builder.input("", {1});
  builder.expect_error(ErrorCode::malformed, "no name");
}

TEST(OnnxHostile, ValueMadeByTwoNodes) {
  ModelBuilder builder = relu_model();
  builder.node("Neg", {"x"}, {"y"}, "second");
  builder.expect_error(ErrorCode::malformed, "'y' is made more than once");
  EXPECT_EQ(builder.import().status().node(), "second");
}

TEST(OnnxHostile, NodeThatMakesAnInput) {
  ModelBuilder builder = relu_model();
  builder.node("Neg", {"y"}, {"x"}, "second");
  builder.expect_error(ErrorCode::malformed, "'x' is made more than once");
}

TEST(OnnxHostile, NodeThatMakesAnInitializer) {
  ModelBuilder builder = relu_model();
  builder.floats("w", {1}, {1});
  builder.node("Neg", {"x"}, {"w"}, "second");
  builder.expect_error(ErrorCode::malformed, "'w' is made more than once");
}

TEST(OnnxHostile, ConstantThatMakesAnInput) {
  ModelBuilder builder = relu_model();
  add_attribute(builder.node("Constant", {}, {"x"}), "value_int", HostileAttr::INT).set_i(1);
  builder.expect_error(ErrorCode::malformed, "'x' is made more than once");
}

TEST(OnnxHostile, NodeWithoutOutputs) {
  ModelBuilder builder = relu_model();
  builder.node("Relu", {"x"}, {""}, "mute");
  builder.expect_error(ErrorCode::malformed, "no outputs");
  builder.graph().mutable_node(1)->clear_output();
  builder.expect_error(ErrorCode::malformed, "no outputs");
}

TEST(OnnxHostile, NodeWithoutOperator) {
  ModelBuilder builder = relu_model();
  builder.node("", {"x"}, {"z"}, "what");
  builder.expect_error(ErrorCode::malformed, "without an operator");
}

TEST(OnnxHostile, AttributesWithoutMeaning) {
  ModelBuilder sparse = relu_model();
  add_attribute(*sparse.graph().mutable_node(0), "a", HostileAttr::SPARSE_TENSOR);
  sparse.expect_error(ErrorCode::unsupported, "sparse");
  ModelBuilder empty = relu_model();
  add_attribute(*empty.graph().mutable_node(0), "a", HostileAttr::TENSOR);
  empty.expect_error(ErrorCode::malformed, "'a'");
  ModelBuilder untyped = relu_model();
  untyped.graph().mutable_node(0)->add_attribute()->set_name("a");
  untyped.expect_error(ErrorCode::malformed, "'a'");
  ModelBuilder twice = relu_model();
  add_attribute(*twice.graph().mutable_node(0), "a", HostileAttr::INT).set_i(1);
  add_attribute(*twice.graph().mutable_node(0), "a", HostileAttr::INT).set_i(2);
  twice.expect_error(ErrorCode::malformed, "twice");
  ModelBuilder reference = relu_model();
  add_attribute(*reference.graph().mutable_node(0), "a", HostileAttr::INT).set_ref_attr_name("b");
  reference.expect_error(ErrorCode::malformed, "function");
}

TEST(OnnxHostile, ConstantWithoutValue) {
  ModelBuilder builder = relu_model();
  builder.node("Constant", {}, {"c"});
  builder.expect_error(ErrorCode::malformed, "Constant");
  add_attribute(*builder.graph().mutable_node(1), "value_string", HostileAttr::STRING)
      .set_s("text");
  builder.expect_error(ErrorCode::unsupported, "string");
}

TEST(OnnxHostile, SparseInitializer) {
  ModelBuilder builder = relu_model();
  builder.graph().add_sparse_initializer()->mutable_values()->set_name("thin");
  builder.expect_error(ErrorCode::unsupported, "'thin'");
}

TEST(OnnxHostile, SegmentedTensor) {
  ModelBuilder builder = relu_model();
  builder.floats("w", {1}, {1}).mutable_segment()->set_begin(0);
  builder.expect_error(ErrorCode::unsupported, "segments");
}

TEST(OnnxHostile, NegativeDimension) {
  ModelBuilder tensor = relu_model();
  tensor.initializer("w", {-1, -1}).set_raw_data("abcd");
  tensor.expect_error(ErrorCode::malformed, "'w'");
  ModelBuilder port = relu_model();
  port.input("z", {-2});
  port.expect_error(ErrorCode::malformed, "-2");
}

TEST(OnnxHostile, DimensionsWhoseProductOverflows) {
  ModelBuilder builder = relu_model();
  builder.initializer("w", {std::int64_t{1} << 33, std::int64_t{1} << 33}).set_raw_data("abcd");
  builder.expect_error(ErrorCode::malformed, "'w'");
}

TEST(OnnxHostile, LargeShapeWithoutData) {
  // A terabyte is asked for; the bytes are counted before memory is.
  ModelBuilder builder = relu_model();
  builder.initializer("w", {std::int64_t{1} << 38}).set_raw_data("abcd");
  builder.expect_error(ErrorCode::malformed, "'w'");
}

TEST(OnnxHostile, TooManyDimensions) {
  ModelBuilder builder = relu_model();
  builder.initializer("w", std::vector<std::int64_t>(1000, 1)).set_raw_data("abcd");
  builder.expect_error(ErrorCode::malformed, "1000 dimensions");
}

TEST(OnnxHostile, TensorWithoutType) {
  ModelBuilder builder = relu_model();
  builder.initializer("w", {1}, onnx::TensorProto::UNDEFINED);
  builder.expect_error(ErrorCode::malformed, "no element type");
}

TEST(OnnxHostile, ValuesRawAndTypedAtOnce) {
  ModelBuilder builder = relu_model();
  builder.floats("w", {1}, {1}).set_raw_data("abcd");
  builder.expect_error(ErrorCode::malformed, "twice");
}

TEST(OnnxHostile, InputThatIsNoTensor) {
  ModelBuilder builder = relu_model();
  builder.graph().add_input()->set_name("list");
  builder.graph().mutable_input(1)->mutable_type()->mutable_sequence_type();
  builder.expect_error(ErrorCode::unsupported, "'list'");
  ModelBuilder strings = relu_model();
  strings.input("words", {1}, onnx::TensorProto::STRING);
  strings.expect_error(ErrorCode::unsupported, "string");
}

TEST(OnnxHostile, DeepNestingIsRefusedNotFollowed) {
  // Messages are nested by hand: attribute in node in graph, 100,000 times over.
  std::string graph;
  const auto field = [](char tag, const std::string& inside) {
    std::string bytes(1, tag);
    for (std::size_t n = inside.size();; n >>= 7) {
      bytes += static_cast<char>((n & 127) | (n > 127 ? 128 : 0));
      if (n <= 127) break;
    }
    return bytes + inside;
  };
  for (int depth = 0; depth < 5000; ++depth) {
    graph = field('\x0a', field('\x2a', field('\x32', graph)));
  }
  const std::string model = std::string("\x08\x08", 2) + field('\x3a', graph);
  EXPECT_EQ(import_bytes(model).code(), ErrorCode::malformed);
}

TEST(OnnxHostile, ALongChainNeedsNoDeepStack) {
  ModelBuilder builder;
  builder.input("v0", {2});
  constexpr int length = 100000;
  builder.output("v" + std::to_string(length));
  for (int i = length; i-- > 0;) {
    onnx::NodeProto& node = builder.node("Relu", {}, {});
    node.add_input("v" + std::to_string(i));
    node.add_output("v" + std::to_string(i + 1));
  }
  const Result<Graph> graph = builder.import();
  ASSERT_TRUE(graph) << graph.status().to_line();
  EXPECT_EQ(graph->values[static_cast<std::size_t>(graph->nodes[0].inputs[0])].name, "v0");
}

TEST(OnnxHostile, NamesWithControlCharactersStayOnOneLine) {
  ModelBuilder builder = relu_model();
  builder.node("Relu", {"gho\nst"}, {"z"}, "two\nlines");
  EXPECT_EQ(builder.import().status().to_line().find('\n'), std::string::npos);
}

}  // namespace
}  // namespace pbatch
