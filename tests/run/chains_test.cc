// Chains: steps run tile by tile give the bits that they give one after the other.
#include "run/chains.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <random>

#include "run/plan.h"
#include "run/program.h"
#include "tests/support/graph_maker.h"

namespace pbatch {
namespace {

using testing::GraphMaker;
using testing::Lane;
using testing::one_by_one;
using testing::random_floats;
using testing::tensor_of;

constexpr std::int64_t kRows = 64, kCols = 96;  // a tile and a half

ChainCandidate step(std::int64_t tiles, std::int64_t tile, std::vector<std::size_t> inputs,
                    std::size_t output, std::vector<bool> aligned = {}) {
  ChainCandidate candidate;
  candidate.tiling = Tiling{tiles, tile, 1};
  aligned.resize(inputs.size(), true);
  candidate.inputs = std::move(inputs);
  candidate.aligned = std::move(aligned);
  candidate.output = output;
  return candidate;
}

std::vector<std::size_t> lengths(const std::vector<ChainCandidate>& steps) {
  std::vector<std::size_t> found;
  for (const Chain& chain : find_chains(steps)) found.push_back(chain.steps);
  return found;
}

using Lengths = std::vector<std::size_t>;

TEST(FindChains, WhatReadsTheElementsOfTheStepBefore) {
  const ChainCandidate other;  // of no tiles
  EXPECT_EQ(lengths({step(100, 1, {0}, 1), step(10, 10, {1}, 2), step(100, 1, {2, 7}, 3)}),
            Lengths{3});
  EXPECT_EQ(lengths({step(100, 1, {0}, 1), other, step(100, 1, {1}, 2)}), (Lengths{1, 1, 1}));
  EXPECT_EQ(lengths({step(100, 1, {0}, 1), step(50, 1, {1}, 2)}), (Lengths{1, 1}));
  EXPECT_EQ(lengths({step(100, 1, {0}, 1), step(100, 1, {0}, 2)}), (Lengths{1, 1}));
  EXPECT_EQ(lengths({step(20, 5, {0}, 1), step(25, 4, {1}, 2)}), (Lengths{1, 1}));
  EXPECT_EQ(lengths({}), Lengths{});
}

TEST(FindChains, NotWhatReadsOtherElementsOfAMember) {
  EXPECT_EQ(
      lengths({step(100, 1, {0}, 1), step(100, 1, {1}, 2), step(100, 1, {2, 1}, 3, {true, false})}),
      (Lengths{2, 1}));
  EXPECT_EQ(lengths({step(100, 1, {0}, 1), step(100, 1, {1, 9}, 2, {true, false})}), Lengths{2});
}

TEST(FindChains, TilesAreWholeRowsOfAllMembers) {
  const std::vector<Chain> chains =
      find_chains(std::vector<ChainCandidate>{step(30000, 1, {0}, 1), step(10, 3000, {1}, 2)});
  ASSERT_EQ(chains.size(), 1u);
  EXPECT_EQ(chains[0].elements, 3000);
  EXPECT_EQ(chains[0].tiles, 10);
  const std::vector<Chain> wide =
      find_chains(std::vector<ChainCandidate>{step(20, 5000, {0}, 1), step(100000, 1, {1}, 2)});
  EXPECT_EQ(wide[0].elements, 5000);
  EXPECT_EQ(wide[0].tiles, 20);
}

bool same_elements(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() &&
         std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
}

// 20 operators, most of which read what the one before makes.
Program elementwise_program(unsigned seed) {
  std::mt19937 rng(seed);
  GraphMaker g;
  std::vector<ValueId> made = {g.input("x"), g.input("y"), g.input("z")};
  const ValueId row = g.input("row"), column = g.input("column");
  const ValueId factors = g.floats({kCols}, seed);
  const auto last = [&] { return made.back(); };
  const auto any = [&] { return made[rng() % made.size()]; };
  for (int i = 0; i < 20; ++i) {
    switch (rng() % 11) {
      case 0:
        made.push_back(g.add("Add", {last(), any()}));
        break;
      case 1:
        made.push_back(g.add("Sub", {any(), last()}));
        break;
      case 2:
        made.push_back(g.add("Add", {last(), row}));
        break;
      case 3:
        made.push_back(g.add("Mul", {column, last()}));
        break;
      case 4:
        made.push_back(g.add("Tanh", {last()}));
        break;
      case 5:
        made.push_back(g.add("Softmax", {last()}, {{"axis", std::int64_t{-1}}}));
        break;
      case 6:
        made.push_back(g.add("LayerNormalization", {last(), factors, row}));
        break;
      case 7:
        made.push_back(g.add("Where", {g.add("Greater", {last(), any()}), any(), last()}));
        break;
      case 8:
        made.push_back(g.add("Cast", {g.add("Cast", {last()}, {{"to", std::int64_t{6}}})},
                             {{"to", std::int64_t{1}}}));
        break;
      case 9:
        made.push_back(
            g.add("Reshape", {g.add("Relu", {g.add("Reshape", {last(), g.integers({-1})})}),
                              g.integers({kRows, kCols})}));
        break;
      default:
        made.push_back(g.add("Clip", {last()}));
    }
  }
  std::vector<ValueId> outputs = {last()};
  for (int i = 0; i < 2; ++i) outputs.push_back(made[3 + rng() % (made.size() - 3)]);
  return g.program(outputs);
}

std::vector<Tensor> elementwise_inputs(unsigned seed) {
  return {tensor_of({kRows, kCols}, random_floats(kRows * kCols, seed)),
          tensor_of({kRows, kCols}, random_floats(kRows * kCols, seed + 1)),
          tensor_of({kRows, kCols}, random_floats(kRows * kCols, seed + 4)),
          tensor_of({kCols}, random_floats(kCols, seed + 2)),
          tensor_of({kRows, 1}, random_floats(kRows, seed + 3))};
}

TEST(Chains, GiveWhatTheOperatorsGiveOneByOne) {
  std::size_t longest = 0;
  for (unsigned seed = 0; seed < 150; ++seed) {
    const Program program = elementwise_program(seed);
    for (const int threads : {1, 2}) {
      ThreadPool pool(threads);
      BufferPool buffers;
      const Precision precision;
      RunContext context{pool, buffers, precision, FloatBackend::openblas};
      for (unsigned i = 0; i < 2; ++i) {
        const std::vector<Tensor> inputs = elementwise_inputs(100 * seed + 10 * i);
        const auto got = program.run(context, inputs);
        ASSERT_TRUE(got) << got.status().to_line();
        const std::vector<Tensor> expected = one_by_one(program, inputs);
        for (std::size_t o = 0; o < expected.size(); ++o) {
          ASSERT_TRUE(same_elements((*got)[o], expected[o])) << "seed " << seed << " output " << o;
        }
        const auto plan = program.plan(context, inputs);
        for (const Plan::Entry& entry : (*plan)->entries()) {
          longest = std::max(longest, entry.chain.steps);
        }
      }
    }
  }
  EXPECT_GE(longest, 6u);
}

TEST(Chains, AMemberThatFailsIsNamed) {
  GraphMaker g;
  const ValueId x = g.input("x"), y = g.input("y");
  const ValueId sum = g.add("Add", {x, y});
  const Program program = g.program({g.add("Mul", {g.add("Div", {sum, y}), x})});
  Result<Tensor> a = Tensor::create(DType::i32, {10000}), b = Tensor::create(DType::i32, {10000});
  for (int i = 0; i < 10000; ++i) {
    a->mutable_data<std::int32_t>()[i] = i;
    b->mutable_data<std::int32_t>()[i] = 9999 - i;
  }
  Lane lane;
  const auto made = program.run(lane.context, std::vector<Tensor>{*a, *b});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.status().node(), program.node(1).name) << made.status().to_line();
  EXPECT_EQ(made.status().code(), ErrorCode::invalid_argument);
}

// Each member is timed by itself, and is there once.
TEST(Chains, EveryMemberIsTimed) {
  const Program program = elementwise_program(3);
  Lane lane;
  StepTimings timings;
  lane.context.timings = &timings;
  const std::vector<Tensor> inputs = elementwise_inputs(3);
  const auto got = program.run(lane.context, inputs);
  ASSERT_TRUE(got);
  const auto plan = program.plan(lane.context, inputs);
  std::vector<const Node*> nodes;
  for (const Plan::Entry& entry : (*plan)->entries()) {
    if (!entry.is_alias) nodes.push_back(entry.node);
  }
  ASSERT_EQ(timings.size(), nodes.size());
  bool chained = false;
  for (std::size_t i = 0; i < timings.size(); ++i) {
    EXPECT_EQ(timings[i].node, nodes[i]);
    EXPECT_GT(timings[i].us, 0);
    chained = chained || timings[i].info.kernel == "float, chained";
  }
  EXPECT_TRUE(chained);
}

TEST(Chains, AreLeftOutByName) {
  setenv("PBATCH_WITHOUT", "chain_steps", 1);
  const Program program = elementwise_program(3);
  Lane lane;
  const auto plan = program.plan(lane.context, elementwise_inputs(3));
  unsetenv("PBATCH_WITHOUT");
  ASSERT_TRUE(plan);
  for (const Plan::Entry& entry : (*plan)->entries()) EXPECT_EQ(entry.chain.steps, 1u);
}

}  // namespace
}  // namespace pbatch
