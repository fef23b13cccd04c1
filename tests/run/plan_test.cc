// Plans: what they run is what the operators give one by one, and where values lie does not matter.
#include "run/plan.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <thread>

#include "run/program.h"
#include "tests/run/count_allocations.h"
#include "tests/support/graph_maker.h"

namespace pbatch {
namespace {

using testing::GraphMaker;
using testing::Lane;
using testing::one_by_one;
using testing::random_floats;
using testing::tensor_of;

bool same(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() &&
         (a.size() == 0 || std::memcmp(a.raw(), b.raw(), a.bytes()) == 0);
}

// A network of 30 operators over matrices of 6 x 4: some overwrite, some are aliases, some allocate
// when they run, and some values are read again much later.
Program random_program(unsigned seed) {
  std::mt19937 rng(seed);
  GraphMaker g;
  std::vector<ValueId> matrices = {g.input("x"), g.input("y")};
  const ValueId shape = g.input("shape");  // what it holds is known only when the network runs
  matrices.push_back(g.floats({6, 4}, seed));
  const auto any = [&] { return matrices[rng() % matrices.size()]; };
  for (int i = 0; i < 30; ++i) {
    ValueId made = kNoValue;
    switch (rng() % 9) {
      case 0:
        made = g.add("Relu", {any()});
        break;
      case 1:
        made = g.add("Add", {any(), any()});
        break;
      case 2:
        made = g.add("Mul", {any(), g.floats({4}, seed + 1)});
        break;
      case 3:
        made = g.add("Reshape", {any(), g.integers({6, -1})});
        break;
      case 4:
        made = g.add("Reshape", {any(), shape});
        break;
      case 5:
        made = g.add("Transpose", {g.add("Transpose", {any()})});
        break;
      case 6:
        made = g.add("Sub", {g.add("Reshape", {any(), g.integers({24})}),
                             g.add("Reshape", {any(), g.integers({24})})});
        made = g.add("Reshape", {made, g.integers({6, 4})});
        break;
      case 7:
        made = g.add("MatMul", {any(), g.floats({4, 4}, seed + 2)});
        break;
      default:
        made = g.add("Slice", {g.add("Concat", {any(), any()}, {{"axis", std::int64_t{0}}}),
                               g.integers({3}), g.integers({9})});
    }
    matrices.push_back(made);
  }
  std::vector<ValueId> outputs;
  for (int i = 0; i < 4; ++i) outputs.push_back(matrices[matrices.size() - 1 - rng() % 8]);
  return g.program(outputs);
}

std::vector<Tensor> random_inputs(unsigned seed) {
  Result<Tensor> shape = Tensor::create(DType::i64, {2});
  shape->mutable_data<std::int64_t>()[0] = 6;
  shape->mutable_data<std::int64_t>()[1] = 4;
  return {tensor_of({6, 4}, random_floats(24, seed)),
          tensor_of({6, 4}, random_floats(24, seed + 7)), *shape};
}

TEST(Plan, GivesWhatTheOperatorsGiveOneByOne) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    const Program program = random_program(seed);
    Lane lane;
    for (unsigned i = 0; i < 3; ++i) {  // the same plan, the same memory
      const std::vector<Tensor> inputs = random_inputs(10 * seed + i);
      const auto made = program.run(lane.context, inputs);
      ASSERT_TRUE(made) << made.status().to_line();
      const std::vector<Tensor> expected = one_by_one(program, inputs);
      for (std::size_t o = 0; o < expected.size(); ++o) {
        ASSERT_TRUE(same((*made)[o], expected[o])) << "seed " << seed << " output " << o;
      }
    }
  }
}

TEST(Plan, RunsInManyThreadsAtOnce) {
  const Program program = random_program(5);
  Lane lane;
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      const std::vector<Tensor> inputs = random_inputs(t), expected = one_by_one(program, inputs);
      for (int i = 0; i < 50; ++i) {
        RunContext context{lane.pool, lane.buffers, lane.precision, FloatBackend::openblas};
        const auto made = program.run(context, inputs);
        ASSERT_TRUE(made);
        for (std::size_t o = 0; o < expected.size(); ++o) {
          EXPECT_TRUE(same((*made)[o], expected[o]));
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(Plan, IsKeptForItsTypesAndPrecision) {
  const Program program = random_program(1);
  Lane lane;
  const std::vector<Tensor> inputs = random_inputs(1);
  const auto first = program.plan(lane.context, inputs);
  ASSERT_TRUE(first);
  EXPECT_EQ(*program.plan(lane.context, random_inputs(2)), *first);
  const Precision other = Precision::bits(3);
  const RunContext at_three{lane.pool, lane.buffers, other, FloatBackend::openblas};
  EXPECT_NE(*program.plan(at_three, inputs), *first);
  EXPECT_EQ(*program.plan(lane.context, inputs), *first);
}

// What is computed from shapes alone is not computed again.
TEST(Plan, FoldsWhatFollowsFromShapes) {
  GraphMaker g;
  const ValueId x = g.input("x");
  const ValueId rows = g.add("Gather", {g.add("Shape", {x}), g.integers({0})});
  const ValueId flat = g.add("Concat", {rows, g.integers({-1})}, {{"axis", std::int64_t{0}}});
  const Program program = g.program({g.add("Relu", {g.add("Reshape", {x, flat})})});
  Lane lane;
  const Tensor in = tensor_of({3, 4, 5}, random_floats(60, 1));
  const auto plan = program.plan(lane.context, {&in, 1});
  ASSERT_TRUE(plan) << plan.status().to_line();
  ASSERT_EQ((*plan)->entries().size(), 1u);
  EXPECT_EQ((*plan)->entries()[0].node->op_type, "Relu");
  const auto y = program.run(lane.context, {&in, 1});
  ASSERT_TRUE(y);
  EXPECT_EQ((*y)[0].shape(), (Shape{3, 20}));
}

// Values that die make room: a chain of any length needs two places, one if it overwrites.
TEST(Plan, SharesPlacesBetweenValues) {
  for (const char* op_type : {"Relu", "Transpose"}) {
    GraphMaker g;
    ValueId v = g.input("x");
    for (int i = 0; i < 20; ++i) v = g.add(op_type, {v});
    const Program program = g.program({v});
    Lane lane;
    const Tensor x = tensor_of({16, 16}, random_floats(256, 1));
    const auto plan = program.plan(lane.context, {&x, 1});
    ASSERT_TRUE(plan);
    EXPECT_EQ((*plan)->arena_bytes(), (op_type[0] == 'R' ? 1u : 2u) * 1024u);
  }
}

long allocations_of_a_run(int layers) {
  GraphMaker g;
  ValueId v = g.input("x");
  for (int i = 0; i < layers; ++i) {
    v = g.add("Add", {v, g.floats({4}, 3)});
    v = g.add("Tanh", {g.add("MatMul", {v, g.floats({4, 4}, 4)})});
    v = g.add("Transpose", {g.add("Reshape", {v, g.integers({4, 6})})});
    v = g.add("Softmax", {g.add("Slice", {v, g.integers({0}), g.integers({6})})});
  }
  const Program program = g.program({v});
  Lane lane;
  const Tensor x = tensor_of({6, 4}, random_floats(24, 1));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(program.run(lane.context, {&x, 1}));
  return testing::count_allocations([&] { EXPECT_TRUE(program.run(lane.context, {&x, 1})); });
}

TEST(Plan, AllocatesNothingForAStep) {
  if (!PBATCH_COUNTS_ALLOCATIONS) GTEST_SKIP() << "sanitizers have allocators of their own";
  EXPECT_EQ(allocations_of_a_run(40), allocations_of_a_run(2));
}

TEST(Plan, NamesTheNodeWhoseTypesDoNotFit) {
  GraphMaker g;
  const ValueId x = g.input("x");
  const Program program = g.program({g.add("Relu", {g.add("MatMul", {x, g.floats({4, 4}, 1)})})});
  Lane lane;
  const Tensor wrong = tensor_of({2, 3}, random_floats(6, 1));
  const auto made = program.run(lane.context, {&wrong, 1});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.status().code(), ErrorCode::shape_mismatch);
  EXPECT_EQ(made.status().node(), "MatMul0");
}

}  // namespace
}  // namespace pbatch
