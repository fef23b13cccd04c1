// ONNX models written with the schema's own classes, not with our exporter.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <initializer_list>
#include <string>
#include <vector>

#include "onnx/import.h"
#include "onnx/onnx.pb.h"
#include "tests/support/temp_folder.h"

namespace pbatch::testing {

/// Fills one graph of a model.
class GraphFiller {
 public:
  explicit GraphFiller(onnx::GraphProto& to) : to_(&to) {}

  onnx::GraphProto& graph() { return *to_; }

  onnx::ValueInfoProto& input(const std::string& name, std::vector<std::int64_t> dims,
                              int type = onnx::TensorProto::FLOAT) {
    return fill(*graph().add_input(), name, dims, type);
  }
  onnx::ValueInfoProto& output(const std::string& name, std::vector<std::int64_t> dims = {},
                               int type = onnx::TensorProto::FLOAT) {
    return fill(*graph().add_output(), name, dims, type);
  }
  onnx::NodeProto& node(const std::string& op, std::initializer_list<const char*> inputs,
                        std::initializer_list<const char*> outputs, const std::string& name = {}) {
    onnx::NodeProto& made = *graph().add_node();
    made.set_op_type(op);
    if (!name.empty()) made.set_name(name);
    for (const char* i : inputs) made.add_input(i);
    for (const char* o : outputs) made.add_output(o);
    return made;
  }
  onnx::TensorProto& initializer(const std::string& name, std::vector<std::int64_t> dims,
                                 int type = onnx::TensorProto::FLOAT) {
    onnx::TensorProto& made = *graph().add_initializer();
    made.set_name(name);
    made.set_data_type(type);
    for (const std::int64_t d : dims) made.add_dims(d);
    return made;
  }
  onnx::TensorProto& floats(const std::string& name, std::vector<std::int64_t> dims,
                            const std::vector<float>& values) {
    onnx::TensorProto& made = initializer(name, std::move(dims));
    for (const float v : values) made.add_float_data(v);
    return made;
  }
  void boolean(const std::string& name, bool value) {
    initializer(name, {}, onnx::TensorProto::BOOL).add_int32_data(value ? 1 : 0);
  }

 private:
  static onnx::ValueInfoProto& fill(onnx::ValueInfoProto& info, const std::string& name,
                                    const std::vector<std::int64_t>& dims, int type) {
    info.set_name(name);
    auto* tensor = info.mutable_type()->mutable_tensor_type();
    tensor->set_elem_type(type);
    tensor->mutable_shape();
    for (const std::int64_t d : dims) tensor->mutable_shape()->add_dim()->set_dim_value(d);
    return info;
  }

  onnx::GraphProto* to_;
};

inline GraphFiller subgraph(onnx::NodeProto& node, const std::string& attribute) {
  onnx::AttributeProto& made = *node.add_attribute();
  made.set_name(attribute);
  made.set_type(onnx::AttributeProto::GRAPH);
  return GraphFiller(*made.mutable_g());
}

struct ModelHolder {
  onnx::ModelProto model;
};

class ModelBuilder : public ModelHolder, public GraphFiller {
 public:
  explicit ModelBuilder(std::int64_t opset = 13) : GraphFiller(*model.mutable_graph()) {
    model.set_ir_version(8);
    model.add_opset_import()->set_version(opset);
    graph().set_name("test");
  }
  ModelBuilder(const ModelBuilder& other)
      : ModelHolder(other), GraphFiller(*model.mutable_graph()) {}

  std::string bytes() const { return model.SerializeAsString(); }
  Result<Graph> import(ExternalData* external = nullptr) const {
    const std::string data = bytes();
    return import_onnx_bytes(data.data(), data.size(), "model.onnx", external);
  }
  /// The import must fail with this code and a message that has `part` in it.
  void expect_error(ErrorCode code, const std::string& part) const {
    const Result<Graph> result = import();
    ASSERT_FALSE(result) << "imported, but should fail with: " << part;
    EXPECT_EQ(result.status().code(), code) << result.status().to_line();
    EXPECT_NE(result.status().to_line().find(part), std::string::npos) << result.status().to_line();
    EXPECT_EQ(result.status().file(), "model.onnx");
    EXPECT_FALSE(result.status().remedy().empty()) << result.status().to_line();
  }
};

/// x [2] -> Relu -> y, for a test to damage.
inline ModelBuilder relu_model() {
  ModelBuilder builder;
  builder.input("x", {2});
  builder.output("y", {2});
  builder.node("Relu", {"x"}, {"y"}, "act");
  return builder;
}

inline onnx::AttributeProto& add_attribute(onnx::NodeProto& node, const std::string& name,
                                           onnx::AttributeProto::AttributeType type) {
  onnx::AttributeProto& made = *node.add_attribute();
  made.set_name(name);
  made.set_type(type);
  return made;
}

inline const Value* find_value(const Graph& graph, const std::string& name) {
  for (const Value& value : graph.values) {
    if (value.name == name) return &value;
  }
  return nullptr;
}

/// A folder that goes away with the test.
class TemporaryFolder {
 public:
  std::string operator/(const std::string& name) const { return (folder_.path() / name).string(); }
  std::string write(const std::string& name, const std::string& bytes) const {
    std::ofstream(*this / name, std::ios::binary) << bytes;
    return *this / name;
  }

 private:
  TempFolder folder_;
};

}  // namespace pbatch::testing
