#include "onnx/export.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/onnx/model_builder.h"

namespace pbatch {
namespace {

using AttrProto = onnx::AttributeProto;
using testing::add_attribute;
using testing::find_value;
using testing::ModelBuilder;

ModelBuilder full_model() {
  ModelBuilder builder(15);
  auto& x = builder.input("x", {1, 2});
  x.mutable_type()->mutable_tensor_type()->mutable_shape()->mutable_dim(0)->set_dim_param("N");
  builder.output("y", {4, 3});
  builder.floats("w", {2, 3}, {1, 2, 3, 4, 5, 6});
  builder.floats("unused", {1}, {1});
  auto& i8 = builder.initializer("codes", {2}, onnx::TensorProto::INT8);
  i8.set_raw_data("ab");
  auto& node = builder.node("Gemm", {"x", "w", ""}, {"h", ""}, "fc");
  add_attribute(node, "f", AttrProto::FLOAT).set_f(0.25f);
  add_attribute(node, "i", AttrProto::INT).set_i(1);
  add_attribute(node, "s", AttrProto::STRING).set_s("same");
  add_attribute(node, "is", AttrProto::INTS).add_ints(5);
  add_attribute(node, "fs", AttrProto::FLOATS).add_floats(5);
  add_attribute(node, "ss", AttrProto::STRINGS).add_strings("five");
  auto& t = *add_attribute(node, "t", AttrProto::TENSOR).mutable_t();
  t.set_data_type(onnx::TensorProto::INT64);
  t.add_int64_data(-9);
  builder.node("Use", {"h", "codes"}, {"y"}, "custom").set_domain("pbatch");
  auto* opset = builder.model.add_opset_import();
  opset->set_domain("pbatch");
  opset->set_version(1);
  auto* h = builder.graph().add_value_info();
  *h = builder.graph().output(0);
  h->set_name("h");
  auto* meta = builder.model.add_metadata_props();
  meta->set_key("k");
  meta->set_value("v");
  return builder;
}

onnx::ModelProto export_and_parse(
    const Graph& graph, const std::function<std::optional<ExternalPlace>(ValueId)>& place) {
  const Result<std::string> bytes = export_onnx(graph, place);
  EXPECT_TRUE(bytes) << bytes.status().to_line();
  onnx::ModelProto model;
  EXPECT_TRUE(bytes && model.ParseFromString(*bytes));
  return model;
}

TEST(OnnxExport, WhatTheSchemaReadsBack) {
  const Result<Graph> graph = full_model().import();
  ASSERT_TRUE(graph) << graph.status().to_line();
  const onnx::ModelProto model = export_and_parse(*graph, nullptr);
  EXPECT_EQ(model.ir_version(), 8);
  ASSERT_EQ(model.opset_import_size(), 2);
  EXPECT_EQ(model.opset_import(0).domain(), "");
  EXPECT_EQ(model.opset_import(0).version(), 15);
  EXPECT_EQ(model.opset_import(1).domain(), "pbatch");
  EXPECT_EQ(model.metadata_props(0).key(), "k");
  EXPECT_EQ(model.metadata_props(0).value(), "v");
  const onnx::GraphProto& g = model.graph();
  EXPECT_EQ(g.name(), "test");
  ASSERT_EQ(g.input_size(), 1);
  const auto& shape = g.input(0).type().tensor_type().shape();
  EXPECT_EQ(shape.dim(0).dim_param(), "N");
  EXPECT_EQ(shape.dim(1).dim_value(), 2);
  ASSERT_EQ(g.output_size(), 1);
  EXPECT_EQ(g.output(0).type().tensor_type().shape().dim(0).dim_value(), 4);
  ASSERT_EQ(g.value_info_size(), 1);
  EXPECT_EQ(g.value_info(0).name(), "h");
  ASSERT_EQ(g.initializer_size(), 2);  // without the one that nothing uses
  EXPECT_EQ(g.initializer(0).name(), "w");
  EXPECT_EQ(g.initializer(0).raw_data().size(), 24u);
  EXPECT_EQ(g.initializer(1).raw_data(), "ab");
  ASSERT_EQ(g.node_size(), 2);
  EXPECT_EQ(g.node(0).name(), "fc");
  ASSERT_EQ(g.node(0).input_size(), 3);
  EXPECT_EQ(g.node(0).input(2), "");
  EXPECT_EQ(g.node(0).output(1), "");
  EXPECT_EQ(g.node(1).domain(), "pbatch");
}

TEST(OnnxExport, ImportOfTheExportIsTheGraph) {
  const Result<Graph> first = full_model().import();
  ASSERT_TRUE(first) << first.status().to_line();
  const Result<std::string> bytes = export_onnx(*first, nullptr);
  ASSERT_TRUE(bytes);
  const Result<Graph> second = import_onnx_bytes(bytes->data(), bytes->size(), "model.onnx");
  ASSERT_TRUE(second) << second.status().to_line();
  ASSERT_EQ(second->nodes.size(), first->nodes.size());
  for (std::size_t n = 0; n < first->nodes.size(); ++n) {
    const Node &a = first->nodes[n], &b = second->nodes[n];
    EXPECT_EQ(a.name, b.name);
    EXPECT_EQ(a.op_type, b.op_type);
    EXPECT_EQ(a.domain, b.domain);
    EXPECT_EQ(a.opset, b.opset);
    EXPECT_EQ(a.inputs.size(), b.inputs.size());
    ASSERT_EQ(a.attributes.size(), b.attributes.size());
    for (const auto& [name, value] : a.attributes) {
      ASSERT_TRUE(b.has_attr(name));
      const Attribute& other = b.attributes.at(name);
      ASSERT_EQ(value.index(), other.index()) << name;
      if (const Tensor* t = std::get_if<Tensor>(&value)) {
        EXPECT_EQ(*std::get<Tensor>(other).data<std::int64_t>(), *t->data<std::int64_t>());
      }
    }
  }
  EXPECT_EQ(*second->nodes[0].float_attr("f", 0), 0.25f);
  EXPECT_EQ(*second->nodes[0].string_attr("s", ""), "same");
  EXPECT_EQ(*second->nodes[0].ints_attr("is", {}), std::vector<std::int64_t>{5});
  EXPECT_EQ(second->metadata, first->metadata);
  EXPECT_EQ(second->opsets, first->opsets);
  const Result<std::string> again = export_onnx(*second, nullptr);
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, *bytes);
}

TEST(OnnxExport, ConstantsGoWhereTheCallerPutsThem) {
  const Result<Graph> graph = full_model().import();
  ASSERT_TRUE(graph);
  const auto place = [&](ValueId id) -> std::optional<ExternalPlace> {
    if (graph->values[static_cast<std::size_t>(id)].name != "w") return std::nullopt;
    return ExternalPlace{"m.safetensors", 128, 24};
  };
  const onnx::ModelProto model = export_and_parse(*graph, place);
  const onnx::TensorProto& w = model.graph().initializer(0);
  EXPECT_EQ(w.data_location(), onnx::TensorProto::EXTERNAL);
  EXPECT_FALSE(w.has_raw_data());
  EXPECT_EQ(w.dims_size(), 2);
  ASSERT_EQ(w.external_data_size(), 3);
  EXPECT_EQ(w.external_data(0).value(), "m.safetensors");
  EXPECT_EQ(w.external_data(1).value(), "128");
  EXPECT_EQ(w.external_data(2).value(), "24");
  EXPECT_NE(model.graph().initializer(1).data_location(), onnx::TensorProto::EXTERNAL);
}

TEST(OnnxExport, TwoVersionsOfOneDomainAreAnError) {
  Result<Graph> graph = full_model().import();
  ASSERT_TRUE(graph);
  graph->nodes[0].opset = 7;
  EXPECT_EQ(export_onnx(*graph, nullptr).status().code(), ErrorCode::internal);
}

TEST(OnnxExport, TooLargeForOneFileIsAnError) {
  Result<Graph> graph = full_model().import();
  ASSERT_TRUE(graph);
  // 4 GiB that nobody allocates: the size is checked before a byte is read.
  static const float one = 1;
  const ValueId w = graph->nodes[0].inputs[1];
  graph->values[static_cast<std::size_t>(w)].constant =
      Tensor::view(DType::f32, {std::int64_t{1} << 30}, &one, nullptr);
  EXPECT_EQ(export_onnx(*graph, nullptr).status().code(), ErrorCode::unsupported);
}

TEST(OnnxExport, LeavesUnsaidWhatNoBranchSaid) {
  ModelBuilder builder;
  builder.input("c", {}, onnx::TensorProto::BOOL);
  builder.input("x", {2}, onnx::TensorProto::INT64);
  builder.output("y", {2}, onnx::TensorProto::INT64);
  onnx::NodeProto& fork = builder.node("If", {"c"}, {"y"});
  for (const char* name : {"then_branch", "else_branch"}) {
    testing::GraphFiller branch = testing::subgraph(fork, name);
    branch.node("Neg", {"x"}, {"n"});
    branch.output("n", {2}, onnx::TensorProto::INT64);
  }
  fork.mutable_attribute(0)->mutable_g()->mutable_output(0)->clear_type();
  const Result<Graph> graph = builder.import();
  ASSERT_TRUE(graph) << graph.status().to_line();
  const Result<std::string> bytes = export_onnx(*graph, nullptr);
  ASSERT_TRUE(bytes) << bytes.status().to_line();
  const Result<Graph> again = import_onnx_bytes(bytes->data(), bytes->size(), "again.onnx");
  EXPECT_TRUE(again) << again.status().to_line();
}

}  // namespace
}  // namespace pbatch
