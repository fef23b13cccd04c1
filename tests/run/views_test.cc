// Products read transposed and sliced operands where they are: no copy is made, and the result is
// that of the copy.
#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "run/plan.h"
#include "run/program.h"
#include "tests/support/graph_maker.h"

namespace pbatch {
namespace {

using testing::GraphMaker;
using testing::one_by_one;
using testing::random_floats;
using testing::tensor_of;

ValueId transpose(GraphMaker& g, ValueId x, std::vector<std::int64_t> perm) {
  return g.add("Transpose", {x}, {{"perm", std::move(perm)}});
}

Tensor floats(const Shape& shape, unsigned seed) {
  std::int64_t count = 1;
  for (const std::int64_t d : shape) count *= d;
  return tensor_of(shape, random_floats(static_cast<std::size_t>(count), seed));
}

// The operators that a run of `program` has steps for, and that what it gives is near to what the
// operators give one by one, whatever library multiplies.
std::string steps_of(const Program& program, const std::vector<Tensor>& inputs) {
  std::string steps;
  for (const FloatBackend backend : {FloatBackend::openblas, FloatBackend::onednn,
                                     FloatBackend::fastest, FloatBackend::by_row}) {
    ThreadPool pool(2);
    BufferPool buffers;
    const Precision precision;
    RunContext context{pool, buffers, precision, backend};
    const auto made = program.run(context, inputs);
    EXPECT_TRUE(made) << made.status().to_line();
    if (!made) return "";
    const std::vector<Tensor> wanted = one_by_one(program, inputs);
    for (std::size_t o = 0; o < wanted.size(); ++o) {
      EXPECT_EQ((*made)[o].shape(), wanted[o].shape());
      for (std::int64_t i = 0; i < wanted[o].size(); ++i) {
        EXPECT_NEAR((*made)[o].data<float>()[i], wanted[o].data<float>()[i], 2e-5) << i;
      }
    }
    steps.clear();
    const auto plan = program.plan(context, inputs);
    for (const Plan::Entry& entry : (*plan)->entries()) {
      steps += (steps.empty() ? "" : " ") + entry.info.op_type;
    }
  }
  return steps;
}

using Perm = std::vector<std::int64_t>;

struct Operands {
  Shape a;
  Perm a_perm;
  Shape b;
  Perm b_perm;
  const char* steps = "MatMul";
};

TEST(Views, ProductsReadTransposedOperands) {
  const Operands cases[] = {
      {{5, 7}, {1, 0}, {5, 6}, {}},
      {{7, 5}, {}, {6, 5}, {1, 0}},
      {{5, 7}, {1, 0}, {6, 5}, {1, 0}},
      {{2, 9, 3, 8}, {0, 2, 1, 3}, {2, 9, 3, 8}, {0, 2, 3, 1}},  // attention: Q K^T of 3 heads
      {{2, 3, 9, 9}, {}, {2, 9, 3, 8}, {0, 2, 1, 3}},            // and of its result with V
      {{2, 9, 3, 8}, {0, 2, 1, 3}, {3, 8, 4}, {}},               // B for every item
      {{9, 2, 8}, {1, 0, 2}, {8, 4}, {}},                        // one matrix for all
      {{9, 2, 8}, {1, 0, 2}, {1, 4, 8}, {0, 2, 1}},
      {{8, 1}, {1, 0}, {8, 6}, {}},        // one row
      {{4, 8}, {}, {1, 8}, {1, 0}},        // one column
      {{8, 1, 4}, {1, 2, 0}, {8, 1}, {}},  // one column, A transposed
      {{1, 1}, {1, 0}, {1, 1}, {1, 0}},
      // Neither rows nor columns lie together: copied.
      {{8, 2, 5}, {1, 2, 0}, {2, 8, 4}, {}, "MatMul"},
      {{2, 8, 5}, {2, 1, 0}, {5, 2, 4}, {}, "Transpose MatMul"},
  };
  for (const Operands& c : cases) {
    GraphMaker g;
    ValueId a = g.input("a"), b = g.input("b");
    if (!c.a_perm.empty()) a = transpose(g, a, c.a_perm);
    if (!c.b_perm.empty()) b = transpose(g, b, c.b_perm);
    const Program program = g.program({g.add("MatMul", {a, b})});
    EXPECT_EQ(steps_of(program, {floats(c.a, 1), floats(c.b, 2)}), c.steps)
        << shape_to_string(c.a) << " " << shape_to_string(c.b);
  }
}

TEST(Views, ProductsReadSlicesAndWhatIsRepeated) {
  GraphMaker g;
  const ValueId x = g.input("x");  // [4, 6, 24]: Q, K and V side by side
  const auto part = [&](std::int64_t begin) {
    return g.add("Slice", {x, g.integers({begin}), g.integers({begin + 8}), g.integers({2})});
  };
  const ValueId scores = g.add("MatMul", {part(0), transpose(g, part(8), {0, 2, 1})});
  const Program program = g.program({g.add("MatMul", {scores, part(16)})});
  // A view of a view is no view: K is copied once.
  EXPECT_EQ(steps_of(program, {floats({4, 6, 24}, 3)}), "Slice MatMul MatMul");

  GraphMaker h;
  const ValueId y = h.input("y");  // [3, 1, 5, 4]: one head for each of two
  const ValueId two = h.add("Expand", {y, h.integers({3, 2, 5, 4})});
  const Program repeated = h.program({h.add("MatMul", {h.input("q"), two})});
  EXPECT_EQ(steps_of(repeated, {floats({3, 1, 5, 4}, 4), floats({3, 2, 7, 5}, 5)}), "MatMul");
}

TEST(Views, OthersAreGivenTheCopy) {
  GraphMaker g;
  const ValueId x = g.input("x");
  const ValueId t = transpose(g, x, {1, 0});
  const ValueId y = g.add("MatMul", {t, x});
  const ValueId z = g.add("Relu", {t});
  const Program program = g.program({y, z});
  EXPECT_EQ(steps_of(program, {floats({5, 7}, 1)}), "MatMul Transpose Relu");

  GraphMaker h;
  const ValueId u = h.input("u");
  const ValueId out = transpose(h, u, {1, 0});
  const Program both = h.program({h.add("MatMul", {out, u}), out});
  EXPECT_EQ(steps_of(both, {floats({5, 7}, 1)}), "Transpose MatMul");
}

// The source must outlive the product that reads it, though its own last reader came before.
TEST(Views, TheSourceStaysUntilItIsRead) {
  GraphMaker g;
  const ValueId x = g.input("x");
  const ValueId r = g.add("Relu", {x});
  const ValueId t = transpose(g, r, {1, 0});
  ValueId v = g.add("Tanh", {r});
  for (int i = 0; i < 4; ++i) v = g.add("Transpose", {v}, {{"perm", Perm{1, 0}}});
  v = g.add("Exp", {v});
  const Program program = g.program({g.add("MatMul", {t, v})});
  steps_of(program, {floats({64, 64}, 1)});
}

}  // namespace
}  // namespace pbatch
