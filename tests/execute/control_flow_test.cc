// If, Loop and Scan in whole networks: what they compute, what becomes of their subgraphs, bad
// input.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "execute/simplify.h"
#include "format/model_file.h"
#include "graph/subgraphs.h"
#include "pbatch/quantize.h"
#include "pbatch/session.h"
#include "quantize/quantize_graph.h"
#include "tests/execute/one_op.h"
#include "tests/onnx/model_builder.h"
#include "tests/support/networks.h"

namespace pbatch {
namespace {

using testing::add_attribute;
using testing::floats;
using testing::GraphFiller;
using testing::int64s;
using testing::make_tensor;
using testing::ModelBuilder;
using testing::random_floats;
using testing::subgraph;
using testing::temp_path;
using testing::tensor_of;
using testing::values_of;

constexpr int kBool = onnx::TensorProto::BOOL;
constexpr int kInt64 = onnx::TensorProto::INT64;

Tensor boolean(bool value) {
  return make_tensor<std::uint8_t>(DType::boolean, {}, {static_cast<std::uint8_t>(value)});
}

std::string write(const ModelBuilder& builder, const std::string& name = "net.onnx") {
  const std::string path = temp_path(name);
  std::ofstream(path, std::ios::binary) << builder.bytes();
  return path;
}

Session load(const ModelBuilder& builder) {
  Result<Session> session = Session::load(write(builder));
  EXPECT_TRUE(session) << session.status().to_line();
  return std::move(session).value();
}

Result<std::vector<Tensor>> run(const ModelBuilder& builder,
                                const std::vector<NamedTensor>& inputs) {
  return load(builder).run(inputs, Precision::f32());
}

std::vector<Tensor> must_run(const ModelBuilder& builder, const std::vector<NamedTensor>& inputs) {
  Result<std::vector<Tensor>> made = run(builder, inputs);
  EXPECT_TRUE(made) << made.status().to_line();
  return made ? *made : std::vector<Tensor>(3);
}

void expect_error(const ModelBuilder& builder, const std::vector<NamedTensor>& inputs,
                  const std::string& part) {
  const auto made = run(builder, inputs);
  ASSERT_FALSE(made) << "ran, but should fail with: " << part;
  EXPECT_NE(made.status().to_line().find(part), std::string::npos) << made.status().to_line();
  EXPECT_FALSE(made.status().remedy().empty());
}

std::vector<std::int64_t> integers_of(const Tensor& t) {
  const auto span = t.span<std::int64_t>();
  return {span.begin(), span.end()};
}

// A dimension that the input decides.
void free_dims(onnx::ValueInfoProto& info, int count) {
  auto& shape = *info.mutable_type()->mutable_tensor_type()->mutable_shape();
  shape.clear_dim();
  for (int i = 0; i < count; ++i) shape.add_dim();
}

std::string operators(const Session& session) {
  std::string text;
  const auto plan = session.plan(Precision::f32());
  EXPECT_TRUE(plan) << plan.status().to_line();
  if (!plan) return text;
  for (const PlanStep& step : *plan) {
    text += step.node + ":" + step.op_type + " ";
  }
  return text;
}

// y = x + w if c, else -x.
ModelBuilder if_model() {
  ModelBuilder builder;
  builder.input("x", {2});
  builder.output("y", {2});
  builder.floats("w", {2}, {1, 2});
  onnx::NodeProto& node = builder.node("If", {"c"}, {"y"}, "choice");
  GraphFiller then_branch = subgraph(node, "then_branch");
  then_branch.node("Add", {"x", "w"}, {"sum"}, "add");
  then_branch.output("sum", {2});
  GraphFiller else_branch = subgraph(node, "else_branch");
  else_branch.node("Neg", {"x"}, {"less"}, "neg");
  else_branch.output("less", {2});
  return builder;
}

TEST(If, TakesTheBranchOfItsCondition) {
  ModelBuilder builder = if_model();
  builder.input("c", {}, kBool);
  const Tensor x = floats({2}, {3, 4});
  const auto then_made = must_run(builder, {{"x", x}, {"c", boolean(true)}});
  EXPECT_EQ(values_of(then_made[0]), (std::vector<float>{4, 6}));
  const auto else_made = must_run(builder, {{"x", x}, {"c", boolean(false)}});
  EXPECT_EQ(values_of(else_made[0]), (std::vector<float>{-3, -4}));
  EXPECT_EQ(operators(load(builder)), "choice:If choice/then/add:Add choice/else/neg:Neg ");
}

TEST(If, OfConstantConditionIsGone) {
  for (const bool condition : {true, false}) {
    ModelBuilder builder = if_model();
    builder.boolean("c", condition);
    EXPECT_EQ(operators(load(builder)),
              condition ? "choice/then/add:Add " : "choice/else/neg:Neg ");
    const auto made = must_run(builder, {{"x", floats({2}, {3, 4})}});
    EXPECT_EQ(values_of(made[0]), (condition ? std::vector<float>{4, 6} : std::vector{-3.F, -4.F}));
    EXPECT_EQ(load(builder).outputs()[0].name, "y");
  }
}

TEST(If, OfConditionsThatFoldInsideOut) {
  // In a branch whose own condition is known at run time only, and by a condition that is
  // computed from a constant that the branch captures.
  ModelBuilder builder;
  builder.input("x", {2});
  builder.input("c", {}, kBool);
  builder.output("y", {2});
  builder.boolean("known", false);
  onnx::NodeProto& outer = builder.node("If", {"c"}, {"y"}, "outer");
  GraphFiller else_branch = subgraph(outer, "else_branch");
  else_branch.node("Abs", {"x"}, {"a"});
  else_branch.output("a", {2});
  GraphFiller then_branch = subgraph(outer, "then_branch");
  then_branch.node("Not", {"known"}, {"k"}, "not");
  onnx::NodeProto& inner = then_branch.node("If", {"k"}, {"made"}, "inner");
  then_branch.output("made", {2});
  for (const char* name : {"then_branch", "else_branch"}) {
    GraphFiller branch = subgraph(inner, name);
    branch.node(name[0] == 't' ? "Neg" : "Exp", {"x"}, {"made_inside"}, "op");
    branch.output("made_inside", {2});
  }
  EXPECT_EQ(operators(load(builder)),
            "outer:If outer/then/inner/then/op:Neg outer/else/Abs_0:Abs ");
  const auto made = must_run(builder, {{"x", floats({2}, {3, -4})}, {"c", boolean(true)}});
  EXPECT_EQ(values_of(made[0]), (std::vector<float>{-3, 4}));
}

TEST(If, BranchesThatOnlyHandOn) {
  ModelBuilder builder;
  builder.input("x", {2});
  builder.input("c", {}, kBool);
  for (const char* name : {"y", "z", "u"}) builder.output(name, {2});
  for (const char* choice : {"c", "always"}) {
    const bool last = choice[0] == 'a';
    onnx::NodeProto& node = last ? builder.node("If", {choice}, {"z", "u"}, "last")
                                 : builder.node("If", {choice}, {"y"}, "first");
    GraphFiller then_branch = subgraph(node, "then_branch");
    then_branch.node("Identity", {"x"}, {"same"});
    then_branch.output("same", {2});
    GraphFiller else_branch = subgraph(node, "else_branch");
    else_branch.floats("k", {2}, {7, 8});
    else_branch.output("k", {2});
    if (!last) continue;
    then_branch.output("same", {2});
    else_branch.node("Neg", {"k"}, {"n"});
    else_branch.output("n", {2});
  }
  builder.boolean("always", true);
  const Tensor x = floats({2}, {3, 4});
  const auto made = must_run(builder, {{"x", x}, {"c", boolean(false)}});
  EXPECT_EQ(values_of(made[0]), (std::vector<float>{7, 8}));
  EXPECT_EQ(values_of(made[1]), values_of(x));
  EXPECT_EQ(values_of(made[2]), values_of(x));
  EXPECT_EQ(values_of(must_run(builder, {{"x", x}, {"c", boolean(true)}})[0]), values_of(x));
}

TEST(If, WhatCannotRunInABranchIsAnErrorOnlyThere) {
  ModelBuilder builder = if_model();
  builder.input("c", {}, kBool);
  GraphFiller then_branch(*builder.graph().mutable_node(0)->mutable_attribute(0)->mutable_g());
  then_branch.floats("three", {3}, {1, 2, 3});
  then_branch.node("Add", {"w", "three"}, {"never"}, "bad");
  then_branch.graph().mutable_node(0)->set_input(1, "never");
  const Tensor x = floats({2}, {3, 4});
  EXPECT_EQ(values_of(must_run(builder, {{"x", x}, {"c", boolean(false)}})[0]),
            (std::vector<float>{-3, -4}));
  expect_error(builder, {{"x", x}, {"c", boolean(true)}}, "node 'choice/then/bad': ");
}

TEST(If, UnknownOperatorsInBranchesAreRefusedAtLoad) {
  ModelBuilder builder = if_model();
  builder.input("c", {}, kBool);
  builder.graph().mutable_node(0)->mutable_attribute(1)->mutable_g()->mutable_node(0)->set_op_type(
      "Unheard");
  const Result<Session> session = Session::load(write(builder));
  ASSERT_FALSE(session);
  EXPECT_NE(session.status().to_line().find("node 'choice/else/neg': operator Unheard"),
            std::string::npos)
      << session.status().to_line();
}

TEST(If, ConditionsThatAreNone) {
  const Tensor x = floats({2}, {3, 4});
  {
    ModelBuilder builder = if_model();
    free_dims(builder.input("c", {}, kBool), 1);
    expect_error(builder, {{"x", x}, {"c", make_tensor<std::uint8_t>(DType::boolean, {2}, {1, 1})}},
                 "node 'choice': its condition is bool [2], not one bool");
    EXPECT_TRUE(run(builder, {{"x", x}, {"c", boolean(true).reshaped({1})}}));
  }
  ModelBuilder builder = if_model();
  builder.floats("c", {}, {1});
  expect_error(builder, {{"x", x}}, "node 'choice': its condition is float32 [], not one bool");
}

// Loop over x: v = 2 v, scan output v before it was doubled, and the number of the round.
ModelBuilder loop_model(std::initializer_list<const char*> inputs) {
  ModelBuilder builder;
  builder.input("x", {2});
  builder.output("y", {2});
  free_dims(builder.output("all"), 2);
  free_dims(builder.output("rounds", {}, kInt64), 1);
  onnx::NodeProto& node = builder.node("Loop", inputs, {"y", "all", "rounds"}, "loop");
  GraphFiller body = subgraph(node, "body");
  body.input("round", {}, kInt64);
  body.input("go", {}, kBool);
  body.input("v", {2});
  body.node("Add", {"v", "v"}, {"twice"}, "double");
  body.node("Identity", {"v"}, {"before"});
  body.node("Identity", {"round"}, {"number"});
  body.node("ReduceMax", {"twice"}, {"top"}).add_attribute()->set_name("keepdims");
  body.graph().mutable_node(3)->mutable_attribute(0)->set_type(onnx::AttributeProto::INT);
  body.node("Less", {"top", "limit"}, {"on"});
  body.output("on", {}, kBool);
  body.output("twice", {2});
  body.output("before", {2});
  body.output("number", {}, kInt64);
  return builder;
}

GraphFiller body_of(ModelBuilder& builder) {
  return GraphFiller(*builder.graph().mutable_node(0)->mutable_attribute(0)->mutable_g());
}

TEST(Loop, CountsOrStopsByItsCondition) {
  const Tensor x = floats({2}, {1, 3});
  struct Case {
    std::int64_t trips;
    bool on;
    float limit;
    std::size_t rounds;
  };
  // The limit ends it behind the round that reaches it.
  for (const Case& c : {Case{4, true, 1e9F, 4},
                        {100, true, 20, 3},
                        {0, true, 1e9F, 0},
                        {-5, true, 1e9F, 0},
                        {4, false, 1e9F, 0},
                        {1, true, 0, 1}}) {
    ModelBuilder builder = loop_model({"m", "c", "x"});
    builder.input("m", {}, kInt64);
    builder.input("c", {}, kBool);
    builder.input("limit", {});
    const auto made = must_run(builder, {{"x", x},
                                         {"m", int64s({c.trips}).reshaped({})},
                                         {"c", boolean(c.on)},
                                         {"limit", floats({}, {c.limit})}});
    std::vector<float> now = {1, 3}, all;
    std::vector<std::int64_t> rounds;
    for (std::size_t i = 0; i < c.rounds; ++i) {
      all.insert(all.end(), now.begin(), now.end());
      rounds.push_back(static_cast<std::int64_t>(i));
      for (float& v : now) v *= 2;
    }
    EXPECT_EQ(values_of(made[0]), now);
    // Two numbers a round even if there is none: the body declares it.
    EXPECT_EQ(made[1].shape(), (Shape{static_cast<std::int64_t>(c.rounds), 2}));
    EXPECT_EQ(values_of(made[1]), all);
    EXPECT_EQ(integers_of(made[2]), rounds);
  }
}

TEST(Loop, WithoutTripCountOrCondition) {
  const Tensor x = floats({2}, {1, 3});
  ModelBuilder endless = loop_model({"", "", "x"});
  endless.floats("limit", {}, {3e5F});
  const auto made = must_run(endless, {{"x", x}});
  EXPECT_EQ(made[1].dim(0), 17);  // 3 * 2^17 is the first beyond 300 000
  EXPECT_EQ(values_of(made[0]), (std::vector<float>{131072, 393216}));
  ModelBuilder counted = loop_model({"m", "", "x"});
  counted.floats("limit", {}, {1e9F});
  counted.initializer("m", {1}, kInt64).add_int64_data(2);
  EXPECT_EQ(values_of(must_run(counted, {{"x", x}})[0]), (std::vector<float>{4, 12}));
}

TEST(Loop, WithoutState) {
  ModelBuilder builder;
  builder.input("m", {}, kInt64);
  free_dims(builder.output("squares", {}, kInt64), 1);
  onnx::NodeProto& node = builder.node("Loop", {"m"}, {"squares"}, "loop");
  GraphFiller body = subgraph(node, "body");
  body.input("round", {1}, kInt64);  // a tensor of one number, as some exporters declare it
  body.input("go", {1}, kBool);
  body.node("Mul", {"round", "round"}, {"square"});
  body.node("Identity", {"go"}, {"on"});
  body.output("on", {1}, kBool);
  body.output("square", {1}, kInt64);
  const auto made = must_run(builder, {{"m", int64s({20}).reshaped({})}});
  EXPECT_EQ(made[0].shape(), (Shape{20, 1}));
  for (std::int64_t i = 0; i < 20; ++i) EXPECT_EQ(made[0].data<std::int64_t>()[i], i * i);
}

TEST(Loop, BadInput) {
  const Tensor x = floats({2}, {1, 3});
  const auto model = [] {
    ModelBuilder builder = loop_model({"m", "c", "x"});
    free_dims(builder.input("m", {}, kInt64), 1);
    free_dims(builder.input("c", {}, kBool), 1);
    builder.floats("limit", {}, {1e9F});
    return builder;
  };
  const Tensor yes = boolean(true).reshaped({1});
  expect_error(model(), {{"x", x}, {"m", int64s({1, 2})}, {"c", yes}},
               "node 'loop': the trip count of Loop has shape [2]");
  expect_error(model(), {{"x", x}, {"m", int64s({})}, {"c", yes}}, "trip count of Loop has shape");
  expect_error(
      model(),
      {{"x", x}, {"m", int64s({1})}, {"c", make_tensor<std::uint8_t>(DType::boolean, {2}, {1, 1})}},
      "node 'loop': its condition is bool [2]");
  {
    ModelBuilder builder = model();
    body_of(builder).graph().mutable_output(0)->set_name("top");
    body_of(builder).graph().mutable_output(0)->clear_type();
    expect_error(builder, {{"x", x}, {"m", int64s({1})}, {"c", yes}},
                 "the condition that the body makes is float32 []");
  }
  {
    ModelBuilder builder = model();
    body_of(builder).graph().mutable_output(1)->set_name("number");
    body_of(builder).graph().mutable_output(1)->clear_type();
    expect_error(builder, {{"x", x}, {"m", int64s({1})}, {"c", yes}},
                 "the body turns state 0 from float32 into int64");
  }
  {
    ModelBuilder builder = model();  // a scan output that grows
    GraphFiller body = body_of(builder);
    body.node("Range", {"nought", "number", "one"}, {"longer"});
    body.initializer("nought", {}, kInt64).add_int64_data(0);
    body.initializer("one", {}, kInt64).add_int64_data(1);
    body.graph().mutable_output(3)->set_name("longer");
    expect_error(builder, {{"x", x}, {"m", int64s({3})}, {"c", yes}},
                 "a scan output is int64 [0] at first and int64 [1] in round 1");
  }
}

// Scan over a [.., T, ..] and b: state s = s + a_t; outputs s and a_t * b_t.
ModelBuilder scan_model(const std::vector<std::pair<std::string, std::vector<std::int64_t>>>& lists,
                        int opset = 11) {
  ModelBuilder builder(opset);
  const int batched = opset < 9 ? 1 : 0;
  free_dims(builder.input("s", {}), 1 + batched);
  free_dims(builder.input("a", {}), 2 + batched);
  free_dims(builder.input("b", {}), 2 + batched);
  free_dims(builder.output("last"), 1 + batched);
  free_dims(builder.output("sums"), 2 + batched);
  free_dims(builder.output("products"), 2 + batched);
  onnx::NodeProto& node = builder.node("Scan", {}, {"last", "sums", "products"}, "scan");
  if (batched != 0) node.add_input("lengths");
  for (const char* name : {"s", "a", "b"}) node.add_input(name);
  GraphFiller body = subgraph(node, "body");
  for (const char* name : {"state", "at", "bt"}) body.input(name, {3});
  body.node("Add", {"state", "at"}, {"next"});
  body.node("Identity", {"next"}, {"sum"});
  body.node("Mul", {"at", "bt"}, {"product"});
  for (const char* name : {"next", "sum", "product"}) body.output(name, {3});
  onnx::AttributeProto& count = add_attribute(node, "num_scan_inputs", onnx::AttributeProto::INT);
  count.set_i(2);
  for (const auto& [name, list] : lists) {
    onnx::AttributeProto& to = add_attribute(node, name, onnx::AttributeProto::INTS);
    for (const std::int64_t v : list) to.add_ints(v);
  }
  return builder;
}

// What the model above makes, by its definition; `b` is read backwards.
struct ScanResult {
  std::vector<float> last, sums, products;
};
ScanResult naive_scan(std::vector<float> state, const std::vector<float>& a,
                      const std::vector<float>& b, std::size_t time) {
  ScanResult made;
  for (std::size_t t = 0; t < time; ++t) {
    for (std::size_t i = 0; i < 3; ++i) {
      state[i] += a[t * 3 + i];
      made.sums.push_back(state[i]);
      made.products.push_back(a[t * 3 + i] * b[(time - 1 - t) * 3 + i]);
    }
  }
  made.last = state;
  return made;
}

std::vector<float> transposed(const std::vector<float>& from, std::size_t rows, std::size_t cols) {
  std::vector<float> to;
  for (std::size_t c = 0; c < cols; ++c) {
    for (std::size_t r = 0; r < rows; ++r) to.push_back(from[r * cols + c]);
  }
  return to;
}

TEST(Scan, AxesAndDirections) {
  constexpr std::size_t kTime = 5;
  const std::vector<float> s = random_floats(3, 1), a = random_floats(kTime * 3, 2),
                           b = random_floats(kTime * 3, 3);
  const ScanResult want = naive_scan(s, a, b, kTime);
  // b [3, T] is sliced along its last axis, backwards; the sums come out [3, T], the products
  // with the last one first.
  const ModelBuilder builder = scan_model({{"scan_input_axes", {0, -1}},
                                           {"scan_input_directions", {0, 1}},
                                           {"scan_output_axes", {1, 0}},
                                           {"scan_output_directions", {0, 1}}});
  const auto made = must_run(builder, {{"s", floats({3}, s)},
                                       {"a", floats({kTime, 3}, a)},
                                       {"b", floats({3, kTime}, transposed(b, kTime, 3))}});
  EXPECT_EQ(values_of(made[0]), want.last);
  EXPECT_EQ(made[1].shape(), (Shape{3, kTime}));
  EXPECT_EQ(values_of(made[1]), transposed(want.sums, kTime, 3));
  std::vector<float> backwards;
  for (std::size_t t = kTime; t-- > 0;) {
    backwards.insert(backwards.end(), want.products.begin() + std::ptrdiff_t(t * 3),
                     want.products.begin() + std::ptrdiff_t(t * 3 + 3));
  }
  EXPECT_EQ(made[2].shape(), (Shape{kTime, 3}));
  EXPECT_EQ(values_of(made[2]), backwards);
}

TEST(Scan, OfNothing) {
  const auto made = must_run(
      scan_model({}),
      {{"s", floats({3}, {1, 2, 3})}, {"a", floats({0, 3}, {})}, {"b", floats({0, 3}, {})}});
  EXPECT_EQ(values_of(made[0]), (std::vector<float>{1, 2, 3}));
  EXPECT_EQ(made[1].shape(), (Shape{0, 3}));
}

TEST(Scan, BatchOfSequencesBeforeOpset9) {
  constexpr std::size_t kTime = 4;
  ModelBuilder builder = scan_model({{"directions", {0, 1}}}, 8);
  builder.input("lengths", {2}, kInt64);
  const std::vector<float> s = random_floats(6, 1), a = random_floats(2 * kTime * 3, 2),
                           b = random_floats(2 * kTime * 3, 3);
  const auto made = must_run(builder, {{"lengths", int64s({4, 2})},
                                       {"s", floats({2, 3}, s)},
                                       {"a", floats({2, kTime, 3}, a)},
                                       {"b", floats({2, kTime, 3}, b)}});
  std::vector<float> last, sums, products;
  for (const std::size_t i : {0U, 1U}) {
    const auto part = [i](const std::vector<float>& v, std::size_t size) {
      return std::vector<float>(v.begin() + std::ptrdiff_t(i * size),
                                v.begin() + std::ptrdiff_t((i + 1) * size));
    };
    const std::size_t time = i == 0 ? 4 : 2;
    ScanResult want = naive_scan(part(s, 3), part(a, kTime * 3), part(b, kTime * 3), time);
    want.sums.resize(kTime * 3, 0);
    want.products.resize(kTime * 3, 0);
    last.insert(last.end(), want.last.begin(), want.last.end());
    sums.insert(sums.end(), want.sums.begin(), want.sums.end());
    products.insert(products.end(), want.products.begin(), want.products.end());
  }
  EXPECT_EQ(values_of(made[0]), last);
  EXPECT_EQ(made[1].shape(), (Shape{2, kTime, 3}));
  EXPECT_EQ(values_of(made[1]), sums);
  EXPECT_EQ(values_of(made[2]), products);
  expect_error(builder,
               {{"lengths", int64s({4, 5})},
                {"s", floats({2, 3}, s)},
                {"a", floats({2, kTime, 3}, a)},
                {"b", floats({2, kTime, 3}, b)}},
               "sequence_lens must be 2 lengths of 0 to 4");
  expect_error(builder,
               {{"lengths", int64s({4, 4})},
                {"s", floats({1, 3}, {1, 2, 3})},
                {"a", floats({2, kTime, 3}, a)},
                {"b", floats({2, kTime, 3}, b)}},
               "of one size for all inputs");
}

TEST(Scan, BadInput) {
  const Tensor s = floats({3}, {1, 2, 3}), two = floats({2, 3}, std::vector<float>(6)),
               three = floats({3, 3}, std::vector<float>(9));
  expect_error(scan_model({}), {{"s", s}, {"a", two}, {"b", three}}, "have different lengths");
  const auto load_error = [](const ModelBuilder& builder, const std::string& part) {
    const Result<Session> session = Session::load(write(builder));
    ASSERT_FALSE(session);
    EXPECT_NE(session.status().to_line().find(part), std::string::npos)
        << session.status().to_line();
  };
  load_error(scan_model({{"scan_input_axes", {0}}}),
             "'scan_input_axes' of Scan has 1 numbers, not 2");
  load_error(scan_model({{"scan_output_directions", {0, 2}}}), "holds 2, not 0 or 1");
  expect_error(scan_model({{"scan_input_axes", {0, 2}}}), {{"s", s}, {"a", two}, {"b", two}},
               "node 'scan': ");
}

// A network whose branches multiply x by the same matrix; one has a second layer.
ModelBuilder weights_in_branches() {
  ModelBuilder builder;
  free_dims(builder.input("x", {}), 2);
  builder.input("c", {}, kBool);
  free_dims(builder.output("y", {}), 2);
  builder.floats("w", {64, 48}, random_floats(64 * 48, 1));
  onnx::NodeProto& node = builder.node("If", {"c"}, {"y"}, "choice");
  GraphFiller then_branch = subgraph(node, "then_branch");
  then_branch.node("MatMul", {"x", "w"}, {"h"}, "fc");
  then_branch.node("Relu", {"h"}, {"r"}, "relu");
  then_branch.floats("w2", {48, 48}, random_floats(48 * 48, 2));
  then_branch.floats("k", {48}, random_floats(48, 4));
  then_branch.node("MatMul", {"r", "w2"}, {"o"}, "fc2");
  then_branch.node("Mul", {"o", "k"}, {"p"}, "scale");
  free_dims(then_branch.output("p"), 2);
  GraphFiller else_branch = subgraph(node, "else_branch");
  else_branch.node("MatMul", {"x", "w"}, {"h"}, "fc");
  free_dims(else_branch.output("h"), 2);
  return builder;
}

// The then branch, or the other, as a network of its own.
ModelBuilder branch_alone(bool then_branch) {
  const ModelBuilder whole = weights_in_branches();
  ModelBuilder builder = whole;
  onnx::GraphProto& graph = builder.graph();
  const onnx::GraphProto& branch = whole.model.graph().node(0).attribute(then_branch ? 0 : 1).g();
  graph.clear_node();
  graph.clear_output();
  graph.mutable_input()->DeleteSubrange(1, 1);
  graph.MergeFrom(branch);
  graph.set_name("test");
  return builder;
}

TEST(ControlFlow, BitLayersInBranches) {
  QuantizeOptions quantize;
  quantize.min_elements = 1;
  const std::string path = write(weights_in_branches());
  Result<Graph> graph = load_model(path);
  ASSERT_TRUE(graph);
  ASSERT_TRUE(simplify(*graph));
  const auto reports = quantize_graph(*graph, quantize);
  ASSERT_TRUE(reports) << reports.status().to_line();
  ASSERT_EQ(reports->size(), 3U);
  const std::string saved_path = temp_path("q.onnx");
  const auto saved = save_model(*graph, saved_path, path);
  ASSERT_TRUE(saved) << saved.status().to_line();

  const Result<Session> stored = Session::load(saved_path);
  ASSERT_TRUE(stored) << stored.status().to_line();
  const Result<Session> made = Session::quantize_in_memory(path, quantize);
  ASSERT_TRUE(made);
  std::set<std::string> names;
  for (const LayerInfo& layer : stored->layers()) names.insert(layer.name);
  EXPECT_EQ(names, (std::set<std::string>{"choice/then/fc", "choice/then/fc2", "choice/else/fc"}));

  // The branches share the matrix w, in the file too: each plane once.
  const auto matrix = [&](const Graph& g, const char* branch) {
    return g.nodes[0].subgraphs.at(branch)->nodes[0].matrix;
  };
  const Result<Graph> again = load_model(saved_path);
  ASSERT_TRUE(again) << again.status().to_line();
  ASSERT_NE(matrix(*again, "then_branch"), nullptr);
  EXPECT_EQ(matrix(*again, "then_branch"), matrix(*again, "else_branch"));
  std::ifstream data(saved->data_path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(data), {}};
  std::size_t first_planes = 0;
  for (std::size_t at = 0; (at = bytes.find("/plane0\":{", at)) != std::string::npos; ++at) {
    ++first_planes;
  }
  EXPECT_EQ(first_planes, 2U);

  const Tensor x = tensor_of({3, 64}, random_floats(3 * 64, 9));
  Precision precision = Precision::bits(4, 16);
  for (const bool c : {true, false}) {
    const std::string branch = c ? "choice/then/" : "choice/else/";
    const Result<Session> alone =
        Session::quantize_in_memory(write(branch_alone(c), "alone.onnx"), quantize);
    ASSERT_TRUE(alone) << alone.status().to_line();
    for (const bool per_layer : {false, true}) {
      Precision inner = precision;
      precision.layers.clear();
      if (per_layer) {
        precision.layers[branch + "fc"] = {2, 8};
        inner.layers["fc"] = {2, 8};
      }
      const auto want = alone->run(std::vector<NamedTensor>{{"x", x}}, inner);
      ASSERT_TRUE(want) << want.status().to_line();
      const std::vector<NamedTensor> inputs{{"x", x}, {"c", boolean(c)}};
      for (const Session* session : {&*stored, &*made}) {
        const auto got = session->run(inputs, precision);
        ASSERT_TRUE(got) << got.status().to_line();
        EXPECT_EQ(values_of((*got)[0]), values_of((*want)[0]));
      }
      inner.layers.clear();
    }
    precision.layers.clear();
  }
  const auto steps = stored->plan(Precision::bits(4, 16));
  ASSERT_TRUE(steps);
  int with_kernel = 0;
  for (const PlanStep& step : *steps) with_kernel += step.weight_bits == 4 ? 1 : 0;
  EXPECT_EQ(with_kernel, 3);
  EXPECT_TRUE(stored->prepare(Precision::f32()));
}

TEST(ControlFlow, BitLayerInALoopIsThatLayerAgainAndAgain) {
  ModelBuilder builder;
  builder.input("x", {1, 40});
  builder.output("y", {1, 40});
  std::vector<float> w = random_floats(40 * 40, 1);
  for (float& v : w) v /= std::sqrt(40.F);
  builder.floats("w", {40, 40}, w);
  builder.initializer("m", {}, kInt64).add_int64_data(6);
  onnx::NodeProto& node = builder.node("Loop", {"m", "", "x"}, {"y"}, "loop");
  GraphFiller body = subgraph(node, "body");
  body.input("round", {}, kInt64);
  body.input("go", {}, kBool);
  body.input("v", {1, 40});
  body.node("MatMul", {"v", "w"}, {"h"}, "fc");
  body.node("Tanh", {"h"}, {"t"});
  body.node("Identity", {"go"}, {"on"});
  body.output("on", {}, kBool);
  body.output("t", {1, 40});
  ModelBuilder step;
  step.input("x", {1, 40});
  step.output("t", {1, 40});
  step.floats("w", {40, 40}, w);
  step.node("MatMul", {"x", "w"}, {"h"}, "fc");
  step.node("Tanh", {"h"}, {"t"});
  QuantizeOptions quantize;
  quantize.min_elements = 1;
  const auto loop = Session::quantize_in_memory(write(builder), quantize);
  const auto once = Session::quantize_in_memory(write(step, "step.onnx"), quantize);
  ASSERT_TRUE(loop && once) << loop.status().to_line() << once.status().to_line();
  ASSERT_EQ(loop->layers().size(), 1U);
  EXPECT_EQ(loop->layers()[0].name, "loop/body/fc");
  for (const int bits : {1, 3, 8}) {
    const Precision precision = Precision::bits(bits, 8);
    Tensor v = tensor_of({1, 40}, random_floats(40, 5));
    const auto got = loop->run(std::vector<NamedTensor>{{"x", v}}, precision);
    ASSERT_TRUE(got) << got.status().to_line();
    for (int i = 0; i < 6; ++i) {
      auto made = once->run(std::vector<NamedTensor>{{"x", v}}, precision);
      ASSERT_TRUE(made);
      v = (*made)[0];
    }
    EXPECT_EQ(values_of((*got)[0]), values_of(v));
  }
}

}  // namespace
}  // namespace pbatch
