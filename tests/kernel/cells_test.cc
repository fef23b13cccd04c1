// Recurrent cells: equal on every ISA, sigmoid and tanh as accurate as promised.
#include "kernel/cells.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "kernel/registry.h"

namespace pbatch::testing {
namespace {

constexpr std::int64_t kTiles = 5, kUnits = kTiles * kTileUnits;

// Everything a cell may read or write.
struct Memory {
  std::vector<float> x, r, r_bias, peephole, h, c, update, reset_h;

  explicit Memory(unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal(0, 4);
    for (auto* v : {&x, &r, &peephole}) v->resize(4 * kUnits);
    for (auto* v : {&r_bias, &h, &c, &update, &reset_h}) v->resize(kUnits);
    for (auto* v : {&x, &r, &r_bias, &peephole, &h, &c, &update, &reset_h}) {
      for (float& value : *v) value = normal(random);
    }
  }

  void run(const RecurrentCells& cells, CellKind kind, bool extras) {
    CellArgs a = {};
    a.x = x.data();
    a.r = r.data();
    a.r_bias = extras ? r_bias.data() : nullptr;
    a.peephole = extras ? peephole.data() : nullptr;
    a.peephole_stride = kUnits;
    a.clip = extras ? 1.5F : INFINITY;
    a.couple_forget = extras ? 1 : 0;
    a.h = h.data();
    a.c = c.data();
    a.update = update.data();
    a.reset_h = reset_h.data();
    cells.run(kind, &a, 1, 3);
    cells.run(kind, &a, 0, 1);
    cells.run(kind, &a, 3, kTiles);
  }

  bool same_results(const Memory& other) const {
    for (const auto member : {&Memory::h, &Memory::c, &Memory::update, &Memory::reset_h}) {
      if (std::memcmp((this->*member).data(), (other.*member).data(), kUnits * sizeof(float)) !=
          0) {
        return false;
      }
    }
    return true;
  }
};

TEST(Cells, AreTheSameOnEveryIsa) {
  for (int kind = 0; kind < kCellKinds; ++kind) {
    for (const bool extras : {false, true}) {
      Memory expected(7);
      expected.run(all_cells()[0], static_cast<CellKind>(kind), extras);
      for (const RecurrentCells& cells : all_cells().subspan(1)) {
        if (!isa_runs_here(cells.isa)) continue;
        Memory got(7);
        got.run(cells, static_cast<CellKind>(kind), extras);
        EXPECT_TRUE(got.same_results(expected)) << cells.name << " kind " << kind;
      }
    }
  }
}

// tanh of an RNN, sigmoid of a GRU's update gate.
struct Functions {
  float tanh, sigmoid;
};
Functions at(float x) {
  static Memory m(1);  // the results depend on x and r alone
  std::fill(m.x.begin(), m.x.end(), x);
  std::fill(m.r.begin(), m.r.end(), 0.0F);
  m.run(all_cells()[0], kCellRnn, false);
  const float tanh = m.h[17];
  m.run(all_cells()[0], kCellGruGates, false);
  return {tanh, m.update[17]};
}

TEST(Cells, SigmoidAndTanhAreWithinThreeUlp) {
  std::mt19937 random(3);
  std::uniform_real_distribution<float> exponent(-30, 6.4F);
  for (int i = 0; i < 20000; ++i) {
    const float x = std::exp2(exponent(random)) * (i % 2 == 0 ? 1.0F : -1.0F);
    const Functions f = at(x);
    const double v = double{x};
    const double tanh = std::tanh(v), sigmoid = 1 / (1 + std::exp(-v));
    ASSERT_NEAR(f.tanh, tanh, 3 * 0x1p-24 * std::fabs(tanh)) << x;
    ASSERT_NEAR(f.sigmoid, sigmoid, 3 * 0x1p-24 * sigmoid) << x;
  }
}

TEST(Cells, FunctionsAtTheirEnds) {
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(at(0).tanh, 0);
  EXPECT_EQ(at(0).sigmoid, 0.5F);
  for (const float x : {200.0F, 1e30F, infinity}) {
    EXPECT_EQ(at(x).tanh, 1);
    EXPECT_EQ(at(-x).tanh, -1);
    EXPECT_EQ(at(x).sigmoid, 1);
    EXPECT_NEAR(at(-x).sigmoid, 0, 1e-38F);
  }
  EXPECT_TRUE(std::isnan(at(std::nanf("")).tanh));
  EXPECT_TRUE(std::isnan(at(std::nanf("")).sigmoid));
}

}  // namespace
}  // namespace pbatch::testing
