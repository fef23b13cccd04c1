// What an ordinary model becomes.
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "tests/onnx/model_builder.h"

namespace pbatch {
namespace {

using Attr = onnx::AttributeProto;
using testing::add_attribute;
using testing::find_value;
using testing::ModelBuilder;

std::vector<float> floats_of(const Tensor& t) {
  return {t.span<float>().begin(), t.span<float>().end()};
}
std::vector<std::int64_t> ints_of(const Tensor& t) {
  return {t.span<std::int64_t>().begin(), t.span<std::int64_t>().end()};
}

TEST(OnnxImport, LinearNetwork) {
  ModelBuilder builder(17);
  auto& x = builder.input("x", {1, 2});
  x.mutable_type()->mutable_tensor_type()->mutable_shape()->mutable_dim(0)->set_dim_param("batch");
  builder.output("y", {1, 3});
  builder.floats("w", {2, 3}, {1, 2, 3, 4, 5, 6});
  auto& gemm = builder.node("Gemm", {"x", "w"}, {"h"}, "fc");
  add_attribute(gemm, "alpha", Attr::FLOAT).set_f(0.5f);
  builder.node("Relu", {"h"}, {"y"});
  auto* meta = builder.model.add_metadata_props();
  meta->set_key("author");
  meta->set_value("nobody");

  const Result<Graph> result = builder.import();
  ASSERT_TRUE(result) << result.status().to_line();
  const Graph& graph = *result;
  EXPECT_EQ(graph.name, "test");
  EXPECT_EQ(graph.source_file, "model.onnx");
  EXPECT_EQ(graph.opsets.at(""), 17);
  EXPECT_EQ(graph.metadata.at("author"), "nobody");
  ASSERT_EQ(graph.inputs.size(), 1u);
  const Value& in = graph.values[static_cast<std::size_t>(graph.inputs[0])];
  EXPECT_EQ(in.name, "x");
  ASSERT_TRUE(in.dims);
  ASSERT_EQ(in.dims->size(), 2u);
  EXPECT_EQ((*in.dims)[0].value, -1);
  EXPECT_EQ((*in.dims)[0].symbol, "batch");
  EXPECT_EQ((*in.dims)[1].value, 2);
  ASSERT_EQ(graph.nodes.size(), 2u);
  const Node& fc = graph.nodes[0];
  EXPECT_EQ(fc.name, "fc");
  EXPECT_EQ(fc.op_type, "Gemm");
  EXPECT_EQ(fc.opset, 17);
  EXPECT_EQ(*fc.float_attr("alpha", 1), 0.5f);
  EXPECT_EQ(*fc.int_attr("transB", 0), 0);
  EXPECT_EQ(graph.nodes[1].name, "Relu_1");
  EXPECT_EQ(graph.nodes[1].inputs, fc.outputs);
  const Tensor* w = graph.constant(fc.inputs[1]);
  ASSERT_NE(w, nullptr);
  EXPECT_EQ(w->shape(), (Shape{2, 3}));
  EXPECT_EQ(floats_of(*w), (std::vector<float>{1, 2, 3, 4, 5, 6}));
}

TEST(OnnxImport, EveryKindOfAttribute) {
  ModelBuilder builder = testing::relu_model();
  onnx::NodeProto& node = *builder.graph().mutable_node(0);
  add_attribute(node, "i", Attr::INT).set_i(-3);
  add_attribute(node, "f", Attr::FLOAT).set_f(2.5f);
  add_attribute(node, "s", Attr::STRING).set_s("text");
  auto& t = *add_attribute(node, "t", Attr::TENSOR).mutable_t();
  t.set_data_type(onnx::TensorProto::FLOAT);
  t.add_float_data(9);
  auto& is = add_attribute(node, "is", Attr::INTS);
  is.add_ints(1);
  is.add_ints(2);
  add_attribute(node, "fs", Attr::FLOATS).add_floats(0.5f);
  add_attribute(node, "ss", Attr::STRINGS).add_strings("a");
  add_attribute(node, "none", Attr::INTS);
  add_attribute(node, "untyped", Attr::INT).set_i(4);
  node.mutable_attribute(8)->clear_type();

  const Result<Graph> graph = builder.import();
  ASSERT_TRUE(graph) << graph.status().to_line();
  const Node& n = graph->nodes[0];
  EXPECT_EQ(*n.int_attr("i", 0), -3);
  EXPECT_EQ(*n.float_attr("f", 0), 2.5f);
  EXPECT_EQ(*n.string_attr("s", ""), "text");
  EXPECT_EQ(floats_of(std::get<Tensor>(n.attributes.at("t"))), std::vector<float>{9});
  EXPECT_EQ(*n.ints_attr("is", {}), (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(std::get<std::vector<float>>(n.attributes.at("fs")), std::vector<float>{0.5f});
  EXPECT_EQ(std::get<std::vector<std::string>>(n.attributes.at("ss")),
            std::vector<std::string>{"a"});
  EXPECT_TRUE(n.ints_attr("none", {7})->empty());
  EXPECT_EQ(*n.int_attr("untyped", 0), 4);
  const Status wrong = n.int_attr("f", 0).status();
  EXPECT_EQ(wrong.code(), ErrorCode::malformed);
  EXPECT_EQ(wrong.node(), "act");
}

TEST(OnnxImport, ConstantNodesBecomeConstants) {
  ModelBuilder builder = testing::relu_model();
  auto& t = *add_attribute(builder.node("Constant", {}, {"t"}), "value", Attr::TENSOR).mutable_t();
  t.set_data_type(onnx::TensorProto::FLOAT);
  t.add_dims(1);
  t.add_float_data(4);
  add_attribute(builder.node("Constant", {}, {"f"}), "value_float", Attr::FLOAT).set_f(1.5f);
  add_attribute(builder.node("Constant", {}, {"i"}), "value_int", Attr::INT).set_i(6);
  auto& fs = add_attribute(builder.node("Constant", {}, {"fs"}), "value_floats", Attr::FLOATS);
  fs.add_floats(1);
  fs.add_floats(2);
  add_attribute(builder.node("Constant", {}, {"is"}), "value_ints", Attr::INTS).add_ints(8);

  const Result<Graph> graph = builder.import();
  ASSERT_TRUE(graph) << graph.status().to_line();
  EXPECT_EQ(graph->nodes.size(), 1u);
  const auto constant = [&](const char* name) -> const Tensor& {
    return *find_value(*graph, name)->constant;
  };
  EXPECT_EQ(floats_of(constant("t")), std::vector<float>{4});
  EXPECT_EQ(floats_of(constant("f")), std::vector<float>{1.5f});
  EXPECT_EQ(constant("f").rank(), 0u);
  EXPECT_EQ(ints_of(constant("i")), std::vector<std::int64_t>{6});
  EXPECT_EQ(floats_of(constant("fs")), (std::vector<float>{1, 2}));
  EXPECT_EQ(ints_of(constant("is")), std::vector<std::int64_t>{8});
  EXPECT_EQ(constant("is").shape(), Shape{1});
}

TEST(OnnxImport, InputsWithInitializersAreConstants) {
  ModelBuilder builder;
  builder.input("x", {2});
  builder.input("w", {2});
  builder.floats("w", {2}, {1, 2});
  builder.output("y", {2});
  builder.node("Mul", {"x", "w"}, {"y"});
  builder.model.set_ir_version(3);
  const Result<Graph> graph = builder.import();
  ASSERT_TRUE(graph) << graph.status().to_line();
  ASSERT_EQ(graph->inputs.size(), 1u);
  EXPECT_EQ(graph->values[static_cast<std::size_t>(graph->inputs[0])].name, "x");
  EXPECT_NE(graph->constant(graph->nodes[0].inputs[1]), nullptr);
}

TEST(OnnxImport, NodesAreSortedAndKeepTheirOrderWhereTheyCan) {
  ModelBuilder builder;
  builder.input("x", {2});
  builder.output("d", {2});
  builder.node("Add", {"b", "c"}, {"d"}, "last");
  builder.node("Neg", {"a"}, {"c"}, "third");
  builder.node("Abs", {"a"}, {"b"}, "second");
  builder.node("Relu", {"x"}, {"a"}, "first");
  const Result<Graph> graph = builder.import();
  ASSERT_TRUE(graph) << graph.status().to_line();
  std::vector<std::string> order;
  for (const Node& node : graph->nodes) order.push_back(node.name);
  EXPECT_EQ(order, (std::vector<std::string>{"first", "third", "second", "last"}));
}

TEST(OnnxImport, NamesAreUnique) {
  ModelBuilder builder;
  builder.input("x", {2});
  builder.output("d", {2});
  builder.node("Relu", {"x"}, {"a"});
  builder.node("Relu", {"a"}, {"b"}, "Relu_0");
  builder.node("Relu", {"b"}, {"c"}, "same");
  builder.node("Relu", {"c"}, {"d"}, "same");
  const Result<Graph> graph = builder.import();
  ASSERT_TRUE(graph) << graph.status().to_line();
  std::vector<std::string> names;
  for (const Node& node : graph->nodes) names.push_back(node.name);
  EXPECT_EQ(names, (std::vector<std::string>{"Relu_0_2", "Relu_0", "same", "same_2"}));
}

TEST(OnnxImport, BothNamesOfOnnxsDomainAreOne) {
  ModelBuilder builder = testing::relu_model();
  builder.model.mutable_opset_import(0)->set_domain("ai.onnx");
  builder.graph().mutable_node(0)->set_domain("ai.onnx");
  const Result<Graph> graph = builder.import();
  ASSERT_TRUE(graph) << graph.status().to_line();
  EXPECT_EQ(graph->nodes[0].domain, "");
  EXPECT_EQ(graph->nodes[0].opset, 13);
}

TEST(OnnxImport, OtherDomainsAndNewerOpsetsAreKept) {
  ModelBuilder builder(9999);
  builder.input("x", {2});
  builder.output("y", {2});
  builder.node("Anything", {"x", ""}, {"y", ""}).set_domain("pbatch");
  auto* opset = builder.model.add_opset_import();
  opset->set_domain("pbatch");
  opset->set_version(1);
  const Result<Graph> graph = builder.import();
  ASSERT_TRUE(graph) << graph.status().to_line();
  EXPECT_EQ(graph->nodes[0].domain, "pbatch");
  EXPECT_EQ(graph->nodes[0].opset, 1);
  EXPECT_EQ(graph->nodes[0].inputs[1], kNoValue);
  EXPECT_EQ(graph->nodes[0].outputs[1], kNoValue);
}

TEST(OnnxImport, UnusedFunctionsAndTrainingAreIgnored) {
  ModelBuilder builder = testing::relu_model();
  builder.model.add_functions()->set_name("Unused");
  builder.model.add_training_info()->mutable_algorithm()->add_node()->set_op_type("Gradient");
  EXPECT_TRUE(builder.import());
}

TEST(OnnxImport, FreeDimensionsMayBeWrittenAsMinusOneOrLeftOut) {
  ModelBuilder builder;
  builder.input("x", {-1, 2}).mutable_type()->mutable_tensor_type()->mutable_shape()->add_dim();
  builder.output("y");
  builder.graph().mutable_output(0)->clear_type();
  builder.node("Relu", {"x"}, {"y"});
  const Result<Graph> graph = builder.import();
  ASSERT_TRUE(graph) << graph.status().to_line();
  const std::vector<Dim>& dims = *find_value(*graph, "x")->dims;
  EXPECT_EQ(dims[0].value, -1);
  EXPECT_EQ(dims[1].value, 2);
  EXPECT_EQ(dims[2].value, -1);
  EXPECT_FALSE(find_value(*graph, "y")->dims);
}

// Older exporters write one word for every dimension that they do not know: no name, no equality.
TEST(OnnxImport, WordsThatNameNoDimensionAreNone) {
  for (const char* word : {"?", "", "None", "-1", "*", "unknown", "batch", "N", "seq_len", "H2"}) {
    ModelBuilder builder;
    auto& shape =
        *builder.input("x", {2, 2}).mutable_type()->mutable_tensor_type()->mutable_shape();
    builder.output("y", {});
    builder.node("Relu", {"x"}, {"y"});
    for (int d = 0; d < 2; ++d) shape.mutable_dim(d)->set_dim_param(word);
    const Result<Graph> graph = builder.import();
    ASSERT_TRUE(graph) << graph.status().to_line();
    const std::string symbol = find_value(*graph, "x")->dims->at(0).symbol;
    const bool usable =
        std::isalpha(word[0]) != 0 && word != std::string("None") && word != std::string("unknown");
    EXPECT_EQ(symbol, usable ? word : "") << word;
  }
}

}  // namespace
}  // namespace pbatch
