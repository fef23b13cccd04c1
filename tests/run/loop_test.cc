// Loop: trip counts and conditions, what it carries and collects, bad input.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "format/model_file.h"
#include "graph/subgraphs.h"
#include "pbatch/quantize.h"
#include "pbatch/session.h"
#include "quantize/quantize_graph.h"
#include "run/simplify.h"
#include "tests/support/control_flow.h"

namespace pbatch {
namespace {

using namespace testing;

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

}  // namespace
}  // namespace pbatch
