// If: what it computes, what becomes of its branches, bad input.
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
  EXPECT_EQ(operators(load(builder)), "choice/then/add:Add choice/else/neg:Neg choice:If ");
}

// ONNX forbids names inside that are names around; the inner one is what a reader would expect.
TEST(If, AConstantOfABranchHidesTheOneAround) {
  for (const bool constant_around : {true, false}) {
    ModelBuilder builder;
    builder.input("x", {2});
    builder.input("c", {}, kBool);
    builder.output("y", {2});
    if (constant_around) {
      builder.floats("k", {2}, {10, 10});
    } else {
      builder.node("Neg", {"x"}, {"k"});
    }
    onnx::NodeProto& node = builder.node("If", {"c"}, {"y"}, "choice");
    GraphFiller then_branch = subgraph(node, "then_branch");
    then_branch.floats("k", {2}, {3, 4});
    then_branch.node("Add", {"x", "k"}, {"t"});
    then_branch.output("t", {2});
    GraphFiller else_branch = subgraph(node, "else_branch");
    else_branch.node("Sub", {"x", "k"}, {"e"});
    else_branch.output("e", {2});
    const Tensor x = floats({2}, {1, 2});
    const auto then_made = must_run(builder, {{"x", x}, {"c", boolean(true)}});
    EXPECT_EQ(values_of(then_made[0]), (std::vector<float>{4, 6}));
    const auto else_made = must_run(builder, {{"x", x}, {"c", boolean(false)}});
    EXPECT_EQ(values_of(else_made[0]),
              (constant_around ? std::vector<float>{-9, -8} : std::vector<float>{2, 4}));
  }
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
            "outer/then/inner/then/op:Neg outer/else/Abs_0:Abs outer:If ");
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

}  // namespace
}  // namespace pbatch
