// Functions of a model are written out where they are called.
#include <gtest/gtest.h>

#include "tests/onnx/model_builder.h"

namespace pbatch::testing {
namespace {

// Fields that the schema may be too old to know: tags of bytes.
constexpr char kDefaultsTag = (11 << 3) | 2, kFunctionOverloadTag = (13 << 3) | 2;
constexpr char kNodeOverloadTag = (8 << 3) | 2;

template <class Message>
void add_bytes(Message& message, char tag, const std::string& bytes) {
  const std::string field = std::string(1, tag) + static_cast<char>(bytes.size()) + bytes;
  ASSERT_TRUE(message.ParseFromString(message.SerializeAsString() + field));
}

constexpr std::int64_t kLaterThanKnown = 99;  // an opset

class FunctionBuilder {
 public:
  FunctionBuilder(ModelBuilder& builder, const std::string& name,
                  std::initializer_list<const char*> inputs,
                  std::initializer_list<const char*> outputs)
      : proto_(*builder.model.add_functions()) {
    proto_.set_name(name);
    proto_.set_domain("mine");
    proto_.add_opset_import()->set_version(13);
    for (const char* i : inputs) proto_.add_input(i);
    for (const char* o : outputs) proto_.add_output(o);
  }

  onnx::FunctionProto& proto() { return proto_; }
  onnx::NodeProto& node(const std::string& op, std::initializer_list<const char*> inputs,
                        std::initializer_list<const char*> outputs,
                        const std::string& domain = {}) {
    onnx::NodeProto& made = *proto_.add_node();
    made.set_op_type(op);
    made.set_domain(domain);
    for (const char* i : inputs) made.add_input(i);
    for (const char* o : outputs) made.add_output(o);
    return made;
  }

 private:
  onnx::FunctionProto& proto_;
};

onnx::AttributeProto& refer(onnx::NodeProto& node, const char* name, const char* to) {
  onnx::AttributeProto& made = add_attribute(node, name, onnx::AttributeProto::FLOAT);
  made.set_ref_attr_name(to);
  return made;
}

// x [2] -> mine.NAME, a node "call" -> y.
ModelBuilder calling(const std::string& name) {
  ModelBuilder builder;
  builder.input("x", {2});
  builder.output("y", {2});
  builder.node(name, {"x"}, {"y"}, "call").set_domain("mine");
  return builder;
}

std::string operators(const Graph& graph) {
  std::string all;
  for (const Node& node : graph.nodes) all += (all.empty() ? "" : " ") + node.op_type;
  return all;
}

TEST(OnnxFunctions, BodiesStandWhereTheyAreCalled) {
  ModelBuilder builder = calling("Outer");
  FunctionBuilder outer(builder, "Outer", {"a"}, {"b"});
  outer.node("Inner", {"a"}, {"x"}, "mine");  // "x" is not the network's
  outer.node("Add", {"x", "a"}, {"b"}, "ai.onnx").set_name("sum");
  FunctionBuilder inner(builder, "Inner", {"x"}, {"y"});
  inner.node("Relu", {"x"}, {"y"});
  const Result<Graph> graph = builder.import();
  ASSERT_TRUE(graph) << graph.status().to_line();
  ASSERT_EQ(operators(*graph), "Relu Add");
  EXPECT_EQ(graph->nodes[0].name, "call/Inner_0/Relu_0");
  EXPECT_EQ(graph->nodes[1].name, "call/sum");
  EXPECT_EQ(graph->nodes[0].inputs[0], graph->inputs[0]);
  EXPECT_EQ(graph->nodes[1].inputs,
            (std::vector<ValueId>{graph->nodes[0].outputs[0], graph->inputs[0]}));
  EXPECT_EQ(graph->nodes[1].outputs[0], graph->outputs[0]);
}

TEST(OnnxFunctions, AttributesComeFromTheCallOrTheFunction) {
  ModelBuilder builder = calling("Leaky");
  FunctionBuilder leaky(builder, "Leaky", {"a"}, {"b"});
  refer(leaky.node("LeakyRelu", {"a"}, {"c"}), "alpha", "slope");
  refer(leaky.node("Elu", {"c"}, {"d"}), "alpha", "given_by_nobody");
  refer(leaky.node("HardSigmoid", {"d"}, {"b"}), "beta", "bend");
  onnx::AttributeProto bend;
  bend.set_name("bend");
  bend.set_type(onnx::AttributeProto::FLOAT);
  bend.set_f(0.25F);
  add_bytes(leaky.proto(), kDefaultsTag, bend.SerializeAsString());
  add_attribute(*builder.graph().mutable_node(0), "slope", onnx::AttributeProto::FLOAT).set_f(0.5F);

  const Result<Graph> graph = builder.import();
  ASSERT_TRUE(graph) << graph.status().to_line();
  ASSERT_EQ(operators(*graph), "LeakyRelu Elu HardSigmoid");
  EXPECT_EQ(*graph->nodes[0].float_attr("alpha", 0), 0.5F);
  EXPECT_FALSE(graph->nodes[1].has_attr("alpha"));
  EXPECT_EQ(*graph->nodes[2].float_attr("beta", 0), 0.25F);
}

TEST(OnnxFunctions, InputsAndOutputsMayBeMissingOrHandedOn) {
  ModelBuilder builder;
  builder.input("x", {2});
  builder.output("y", {2});
  builder.output("z", {2});
  builder.node("Two", {"x"}, {"y", "", "z"}).set_domain("mine");
  FunctionBuilder two(builder, "Two", {"a", "least"}, {"a", "b", "c"});
  two.node("Relu", {"a"}, {"b"});
  two.node("Clip", {"b", "least"}, {"c"});
  const Result<Graph> graph = builder.import();
  ASSERT_TRUE(graph) << graph.status().to_line();
  ASSERT_EQ(operators(*graph), "Relu Clip Identity");
  EXPECT_EQ(graph->nodes[0].name, "Two_0/Relu_0");
  EXPECT_EQ(graph->nodes[1].inputs[1], kNoValue);
  EXPECT_EQ(graph->nodes[2].inputs[0], graph->inputs[0]);
  EXPECT_EQ(graph->nodes[2].outputs[0], graph->outputs[0]);
}

TEST(OnnxFunctions, SubgraphsOfBodiesReadTheBodyAndCallToo) {
  ModelBuilder builder = calling("Choose");
  FunctionBuilder choose(builder, "Choose", {"a"}, {"b"});
  choose.node("Neg", {"a"}, {"n"});
  add_attribute(choose.node("Constant", {}, {"c"}), "value", onnx::AttributeProto::TENSOR)
      .mutable_t()
      ->set_data_type(onnx::TensorProto::BOOL);
  choose.proto().mutable_node(1)->mutable_attribute(0)->mutable_t()->add_int32_data(1);
  onnx::NodeProto& fork = choose.node("If", {"c"}, {"b"});
  for (const char* branch : {"then_branch", "else_branch"}) {
    GraphFiller inside = subgraph(fork, branch);
    inside.node("Twice", {"n"}, {"a"}).set_domain("mine");  // its own "a"
    inside.output("a", {2});
  }
  FunctionBuilder twice(builder, "Twice", {"q"}, {"r"});
  twice.node("Add", {"q", "q"}, {"r"});
  const Result<Graph> graph = builder.import();
  ASSERT_TRUE(graph) << graph.status().to_line();
  ASSERT_EQ(operators(*graph), "Neg If");
  EXPECT_EQ(graph->nodes[0].inputs[0], graph->inputs[0]);
  const Graph& then = *graph->nodes[1].subgraphs.at("then_branch");
  ASSERT_EQ(operators(then), "Add");
  EXPECT_EQ(then.nodes[0].inputs, (std::vector<ValueId>{then.inputs[0], then.inputs[0]}));
  EXPECT_EQ(graph->nodes[1].inputs[1], graph->nodes[0].outputs[0]);
}

TEST(OnnxFunctions, OverloadsAreFunctionsOfTheirOwn) {
  ModelBuilder builder = calling("F");
  add_bytes(*builder.graph().mutable_node(0), kNodeOverloadTag, "second");
  FunctionBuilder(builder, "F", {"a"}, {"b"}).node("Relu", {"a"}, {"b"});
  FunctionBuilder second(builder, "F", {"a"}, {"b"});
  second.node("Neg", {"a"}, {"b"});
  add_bytes(second.proto(), kFunctionOverloadTag, "second");
  const Result<Graph> graph = builder.import();
  ASSERT_TRUE(graph) << graph.status().to_line();
  EXPECT_EQ(operators(*graph), "Neg");
  second.proto().ParseFromString(builder.model.functions(0).SerializeAsString());
  builder.expect_error(ErrorCode::malformed, "twice");
}

TEST(OnnxFunctions, BringTheirOwnDomains) {
  ModelBuilder builder = calling("F");
  builder.model.clear_opset_import();
  FunctionBuilder(builder, "F", {"a"}, {"b"}).node("Relu", {"a"}, {"b"});
  const Result<Graph> graph = builder.import();
  ASSERT_TRUE(graph) << graph.status().to_line();
  EXPECT_EQ(graph->opsets.at(""), 13);
}

// A function of opset `of` with one node, called by a model of opset `model` that has a node too.
struct OfAnotherOpset {
  OfAnotherOpset(std::int64_t model, std::int64_t of, const std::string& op)
      : builder(calling("F")),
        function(builder, "F", {"a"}, {"b"}),
        node(function.node(op, {"a"}, {"b"})) {
    builder.node("Abs", {"y"}, {"z"});
    builder.model.mutable_opset_import(0)->set_version(model);
    function.proto().mutable_opset_import(0)->set_version(of);
    node.set_name("n");
  }
  ModelBuilder builder;
  FunctionBuilder function;
  onnx::NodeProto& node;
};

TEST(OnnxFunctions, OfAnOlderOpsetSayTheSameInTheModels) {
  OfAnotherOpset sum(13, 12, "ReduceSum");
  add_attribute(sum.node, "axes", onnx::AttributeProto::INTS).add_ints(1);
  Result<Graph> graph = sum.builder.import();
  ASSERT_TRUE(graph) << graph.status().to_line();
  ASSERT_EQ(operators(*graph), "ReduceSum Abs");
  EXPECT_EQ(graph->nodes[0].name, "call/n");
  EXPECT_TRUE(graph->nodes[0].attributes.empty());
  ASSERT_EQ(graph->nodes[0].inputs.size(), 2U);
  const Tensor* axes = graph->constant(graph->nodes[0].inputs[1]);
  ASSERT_NE(axes, nullptr);
  EXPECT_EQ(axes->shape(), Shape{1});
  EXPECT_EQ(*axes->data<std::int64_t>(), 1);

  // Over all dimensions from the axis on, once.
  OfAnotherOpset softmax(13, 11, "Softmax");
  add_attribute(softmax.node, "axis", onnx::AttributeProto::INT).set_i(1);
  graph = softmax.builder.import();
  ASSERT_TRUE(graph) << graph.status().to_line();
  EXPECT_EQ(operators(*graph), "Flatten Shape Softmax Reshape Abs");
  EXPECT_EQ(*graph->nodes[0].int_attr("axis", 0), 1);
  EXPECT_FALSE(graph->nodes[2].has_attr("axis"));  // the last, in opset 13
}

TEST(OnnxFunctions, OfANewerOpsetRaiseThatOfTheModel) {
  OfAnotherOpset relu(12, 18, "Relu");
  relu.builder.node("Unsqueeze", {"z"}, {"w"});
  add_attribute(*relu.builder.graph().mutable_node(2), "axes", onnx::AttributeProto::INTS)
      .add_ints(0);
  Result<Graph> graph = relu.builder.import();
  ASSERT_TRUE(graph) << graph.status().to_line();
  EXPECT_EQ(graph->opsets.at(""), 18);
  ASSERT_EQ(operators(*graph), "Relu Abs Unsqueeze");
  EXPECT_EQ(graph->nodes[2].inputs.size(), 2U);
  EXPECT_EQ(graph->nodes[2].opset, 18);
}

TEST(OnnxFunctions, AloneInAModelDecideItsOpset) {
  OfAnotherOpset norm(21, 18, "GroupNormalization");
  norm.builder.graph().mutable_node()->RemoveLast();
  const Result<Graph> graph = norm.builder.import();
  ASSERT_TRUE(graph) << graph.status().to_line();
  EXPECT_EQ(graph->opsets.at(""), 18);
}

TEST(OnnxFunctions, ThatMeanSomethingElseInTheOpsetOfTheModel) {
  OfAnotherOpset(21, 18, "GroupNormalization")
      .builder.expect_error(ErrorCode::unsupported, "opset 18");
  OfAnotherOpset(kLaterThanKnown, 18, "Relu")
      .builder.expect_error(ErrorCode::unsupported, "opsets 18");
  OfAnotherOpset unused(21, 18, "GroupNormalization");
  unused.builder.graph().mutable_node(0)->set_op_type("Relu");
  unused.builder.graph().mutable_node(0)->clear_domain();
  EXPECT_TRUE(unused.builder.import());
}

TEST(OnnxFunctions, CallsThatHaveNoMeaning) {
  ModelBuilder itself = calling("F");
  FunctionBuilder(itself, "F", {"a"}, {"b"}).node("F", {"a"}, {"b"}, "mine");
  itself.expect_error(ErrorCode::malformed, "calls itself");

  ModelBuilder inside = calling("F");
  FunctionBuilder f(inside, "F", {"a"}, {"b"});
  onnx::NodeProto& fork = f.node("If", {"a"}, {"b"});
  subgraph(fork, "then_branch").node("F", {"a"}, {"c"}).set_domain("mine");
  inside.expect_error(ErrorCode::malformed, "calls itself");

  ModelBuilder many = calling("F");
  FunctionBuilder(many, "F", {}, {"b"}).node("Relu", {"b"}, {"b"});
  many.expect_error(ErrorCode::malformed, "takes 0 inputs");

  ModelBuilder unknown = calling("F");
  FunctionBuilder(unknown, "F", {"a"}, {"b"}).node("Relu", {"x"}, {"b"});
  unknown.expect_error(ErrorCode::malformed, "reads 'x'");

  ModelBuilder unmade = calling("F");
  FunctionBuilder(unmade, "F", {"a"}, {"b"}).node("Relu", {"a"}, {"c"});
  unmade.expect_error(ErrorCode::malformed, "'y'");

  ModelBuilder missing = calling("F");
  missing.expect_error(ErrorCode::malformed, "mine");
}

TEST(OnnxFunctions, CallsOfCallsFillNoMemory) {
  ModelBuilder wide = calling("f0"), deep = calling("f0");
  for (int i = 0; i < 40; ++i) {
    FunctionBuilder f(wide, "f" + std::to_string(i), {"a"}, {"b"});
    const std::string next = i == 39 ? "Relu" : "f" + std::to_string(i + 1);
    f.node(next, {"a"}, {"c"}, i == 39 ? "" : "mine");
    f.node(next, {"c"}, {"b"}, i == 39 ? "" : "mine");
  }
  wide.expect_error(ErrorCode::malformed, "more than");
  for (int i = 0; i < 5000; ++i) {
    FunctionBuilder(deep, "f" + std::to_string(i), {"a"}, {"b"})
        .node("f" + std::to_string(i + 1), {"a"}, {"b"}, "mine");
  }
  deep.expect_error(ErrorCode::malformed, "more than");
}

}  // namespace
}  // namespace pbatch::testing
