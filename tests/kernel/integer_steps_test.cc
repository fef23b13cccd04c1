// Steps of integer networks: exact products on every ISA, at the bound too; functions as close to
// the real ones as docs/integer.md says.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <random>
#include <vector>

#include "kernel/registry.h"

namespace pbatch::testing {
namespace {

using Wide = __int128;

// Half up, then limited, in 128 bits.
std::int32_t scaled(std::int64_t x, pb_dyadic d, std::int32_t lo, std::int32_t hi) {
  Wide value = Wide(x) * d.multiplier * 2 + (Wide(1) << d.shift);
  const Wide divisor = Wide(2) << d.shift;
  Wide result = value / divisor;
  if (value % divisor < 0) --result;
  return static_cast<std::int32_t>(std::clamp<Wide>(result, lo, hi));
}

TEST(IntegerSteps, ScalesRoundHalfUp) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 100000; ++i) {
    const pb_dyadic d{static_cast<std::int32_t>(random() >> 34), static_cast<int>(random() % 40)};
    const auto x = static_cast<std::int64_t>(random()) >> 33;
    ASSERT_EQ(pb_scale(x, d, -100000, 90000), scaled(x, d, -100000, 90000));
  }
  EXPECT_EQ(pb_scale(3, {1, 1}, -9, 9), 2);
  EXPECT_EQ(pb_scale(-3, {1, 1}, -9, 9), -1);
  EXPECT_EQ(pb_scale(-3, {1, 0}, -9, 9), -3);
}

TEST(IntegerSteps, GatesAreWithinTheirBound) {
  double worst_tanh = 0, worst_sigmoid = 0;
  for (std::int64_t x = -(std::int64_t{1} << 30); x <= std::int64_t{1} << 30; x += 1237) {
    const double real = std::ldexp(static_cast<double>(x), -20);
    const auto code = static_cast<std::int32_t>(x);
    worst_tanh = std::max(worst_tanh, std::fabs(pb_tanh(code) - 32768 * std::tanh(real)));
    worst_sigmoid =
        std::max(worst_sigmoid, std::fabs(pb_sigmoid(code) - 32768 / (1 + std::exp(-real))));
    ASSERT_EQ(pb_tanh(code), -pb_tanh(-code));
  }
  EXPECT_LT(worst_tanh, 1.8);
  EXPECT_LT(worst_sigmoid, 1.2);
  EXPECT_EQ(pb_tanh(1 << 30), 32768);
  EXPECT_EQ(pb_sigmoid(1 << 30), 32768);
  EXPECT_EQ(pb_sigmoid(-(1 << 30)), 0);
  EXPECT_EQ(pb_sigmoid(0), 16384);
}

// A product from codes that stand in a plain matrix.
struct CodeProduct {
  int rows, cols, bits, group;
  std::vector<int> codes;
  std::vector<std::uint8_t> scales, fields, tiles, tile_scales;
  std::vector<std::uint16_t> words;
  std::vector<pb_dyadic> to_result;
  std::vector<std::int64_t> bias, tile_offsets;
  std::vector<std::int32_t> x;
  pb_product product = {};

  CodeProduct(int r, int c, int n, int g) : rows(r), cols(c), bits(n), group(g) {
    codes.resize(static_cast<std::size_t>(rows * cols));
    scales.resize(static_cast<std::size_t>(rows * groups()));
    to_result.assign(static_cast<std::size_t>(rows), {1 << 20, 38});
    bias.assign(static_cast<std::size_t>(rows), 0);
    x.resize(static_cast<std::size_t>(cols));
  }
  int groups() const { return (cols + group - 1) / group; }

  // Codes of vectors from -most on, or from 0.
  void randomize(unsigned seed, int most, bool positive = false) {
    std::mt19937 random(seed);
    for (int& u : codes) u = static_cast<int>(random() % (1U << bits));
    for (auto& q : scales) q = static_cast<std::uint8_t>(random());
    for (auto& b : bias) b = static_cast<std::int64_t>(random()) - 2147483648;
    for (auto& v : x) v = static_cast<int>(random() % (2U * unsigned(most) + 1)) - most;
    for (auto& v : x) v = positive ? std::abs(v) : v;
  }

  void prepare() {
    const int field = bits <= 2 ? bits : bits <= 4 ? 4 : bits <= 8 ? 8 : 16;
    product.rows = rows;
    product.cols = cols;
    product.bits = field;
    product.levels = (1 << bits) - 1;
    product.group = group;
    product.lo = -2000000000;
    product.hi = 2000000000;
    words.assign(codes.begin(), codes.end());
    const int per = field == 16 ? 1 : 8 / field, bytes = (cols + per - 1) / per;
    fields.assign(static_cast<std::size_t>(rows * bytes), 0);
    const int all_tiles = (rows + 15) / 16, blocks = (cols + 31) / 32;
    tiles.assign(static_cast<std::size_t>(all_tiles * blocks * 512), 0);
    tile_scales.assign(static_cast<std::size_t>(all_tiles * groups() * 16), 0);
    tile_offsets.assign(static_cast<std::size_t>(rows), 0);
    for (int r = 0; r < rows && field < 16; ++r) {
      const int tile = r / 16, first = tile / 4 * 4, band = std::min(4, all_tiles - first);
      for (int c = 0; c < cols; ++c) {
        const int u = codes[static_cast<std::size_t>(r * cols + c)];
        fields[static_cast<std::size_t>(r * bytes + c / per)] |=
            static_cast<std::uint8_t>(u << (c % per * field));
        const int block = first * blocks + c / 32 * band + tile % 4, quad = c / 4 % 8;
        tiles[static_cast<std::size_t>(((block * field + quad / per) * 16 + r % 16) * 4 + c % 4)] |=
            static_cast<std::uint8_t>(u << (quad % per * field));
        tile_offsets[static_cast<std::size_t>(r)] +=
            128 * scales[static_cast<std::size_t>(r * groups() + c / group)] *
            (2 * u - ((1 << bits) - 1));
      }
      for (int g = 0; g < groups(); ++g) {
        tile_scales[static_cast<std::size_t>((first * groups() + g * band + tile % 4) * 16 +
                                             r % 16)] =
            scales[static_cast<std::size_t>(r * groups() + g)];
      }
    }
    product.tile_scales = tile_scales.data();
    product.tile_offsets = tile_offsets.data();
    const auto [least, most] = std::minmax_element(x.begin(), x.end());
    product.bytes = *least >= -128 && *most <= 127 ? 1 : *least >= 0 && *most <= 255 ? 2 : 0;
    product.codes = field == 16 ? static_cast<const void*>(words.data()) : fields.data();
    product.tiles = field == 16 ? nullptr : tiles.data();
    product.scales = scales.data();
    product.to_result = to_result.data();
    product.bias = bias.data();
  }

  std::int64_t accumulator(int row, int vector = 0) const {
    Wide acc = 0;
    for (int c = 0; c < cols; ++c) {
      const int level = 2 * codes[static_cast<std::size_t>(row * cols + c)] - ((1 << bits) - 1);
      acc += Wide(scales[static_cast<std::size_t>(row * groups() + c / group)]) * level *
             x[static_cast<std::size_t>(vector * cols + c)];
    }
    return static_cast<std::int64_t>(acc);
  }

  void check(const IntegerFunctions& functions) const {
    const int vectors = static_cast<int>(x.size()) / cols;
    std::vector<std::int32_t> y(static_cast<std::size_t>(rows * vectors), 7);
    std::vector<std::int64_t> scratch(
        static_cast<std::size_t>(PB_VECTORS * pb_packed_bytes(&product)) / 8);
    functions.fns->linear(functions.fns->stepper.multiplier, &product, vectors, x.data(), y.data(),
                          scratch.data());
    for (int v = 0; v < vectors; ++v) {
      for (int r = 0; r < rows; ++r) {
        const auto i = static_cast<std::size_t>(r);
        ASSERT_EQ(y[static_cast<std::size_t>(v * rows + r)],
                  scaled(accumulator(r, v) + bias[i], to_result[i], product.lo, product.hi))
            << functions.name << ", row " << r << " of " << rows << " x " << cols << ", " << bits
            << " bits, group " << group << ", vector " << v << " of " << vectors;
      }
    }
  }
};

void check_everywhere(const CodeProduct& problem) {
  for (const IntegerFunctions& functions : all_integer_functions()) {
    if (isa_runs_here(functions.isa)) problem.check(functions);
  }
}

TEST(IntegerSteps, ProductsAreExact) {
  unsigned seed = 0;
  const int vectors[] = {1, 2, 3, 4, 7};
  for (const int bits : {1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16}) {
    for (const int cols : {1, 31, 64, 100, 257}) {
      for (const int group : {32, 64, 128, 1 << 20}) {
        for (const int rows : {1, 16, 37, 64, 119}) {
          CodeProduct problem(rows, cols, bits, std::min(group, std::max(cols, 32)));
          ++seed;
          problem.x.resize(static_cast<std::size_t>(cols * vectors[seed % 5]));
          const int most[] = {32767, 127, 255};
          problem.randomize(seed, most[seed % 3], seed % 3 == 2);
          problem.prepare();
          check_everywhere(problem);
        }
      }
    }
  }
}

// Every product of one sign, as large as it can be: no run of columns, and no sum of runs, leaves
// 32 bits.
TEST(IntegerSteps, ProductsAreExactAtTheBound) {
  for (const int bits : {1, 2, 4, 7, 8, 16}) {
    for (const int group : {32, 128, 1024}) {
      for (const int sign : {-1, 1, -2, 2, -3, 3}) {
        CodeProduct problem(65, 1024, bits, group);
        const int most = std::abs(sign) == 1 ? 32767 : std::abs(sign) == 2 ? 127 : 255;
        std::fill(problem.codes.begin(), problem.codes.end(), sign > 0 ? (1 << bits) - 1 : 0);
        std::fill(problem.scales.begin(), problem.scales.end(), 255);
        std::fill(problem.x.begin(), problem.x.end(), most);
        problem.to_result.assign(65, {1, 16});
        problem.prepare();
        ASSERT_EQ(problem.accumulator(0),
                  (sign > 0 ? 1 : -1) * std::int64_t{255} * ((1 << bits) - 1) * 1024 * most);
        check_everywhere(problem);
      }
    }
  }
}

// The greatest sum that 32 bits are proved for.
TEST(IntegerSteps, NarrowSumsAreExactAtTheBound) {
  CodeProduct problem(16, 128, 8, 32);
  std::fill(problem.codes.begin(), problem.codes.end(), 255);
  std::fill(problem.scales.begin(), problem.scales.end(), 255);
  std::fill(problem.x.begin(), problem.x.end(), 258);
  problem.to_result.assign(16, {1, 0});
  problem.prepare();
  ASSERT_EQ(problem.accumulator(3), 2147385600);  // 255 * 255 * 128 * 258
  problem.product.narrow = 1;
  problem.product.hi = 2147483647;
  check_everywhere(problem);
  for (auto& v : problem.x) v = -258;
  problem.product.lo = -2147483647;
  check_everywhere(problem);
}

// Units of every ISA are those of the equations one by one, at their limits too.
TEST(IntegerSteps, UnitsHaveTheSameBits) {
  constexpr int hidden = 44, padded = 48;
  std::mt19937 random(5);
  const auto below = [&](int limit) {
    const int kind = static_cast<int>(random() % 8);
    const auto x = static_cast<int>(random() % (2U * static_cast<unsigned>(limit) + 1)) - limit;
    return kind == 0 ? limit : kind == 1 ? -limit : kind == 2 ? x >> 12 : kind == 3 ? x : x >> 7;
  };
  const auto numbers = [&](int count, int limit) {
    std::vector<std::int32_t> made(static_cast<std::size_t>(count));
    for (auto& v : made) v = below(limit);
    return made;
  };
  struct Case {
    int cell, parts, couple, functions[3];
    bool peepholes;
  };
  const Case cases[] = {{PB_LSTM, 1, 0, {0, 1, 1}, false}, {PB_LSTM, 1, 1, {1, 0, 0}, false},
                        {PB_LSTM, 1, 0, {0, 1, 1}, true},  {PB_RNN, 1, 0, {1, 0, 0}, false},
                        {PB_RNN, 1, 0, {0, 0, 0}, false},  {PB_GRU, 1, 0, {0, 1, 0}, false},
                        {PB_GRU, 2, 0, {0, 1, 0}, false},  {PB_GRU, 2, 0, {1, 0, 0}, false}};
  for (const Case& c : cases) {
    for (const int clip : {1 << 30, 3 << 20, 12345}) {
      for (int repeat = 0; repeat < 20; ++repeat) {
        const pb_product second = {};
        const auto r_bias = numbers(padded, (1 << 30) - 1), peephole = numbers(3 * padded, 32767);
        pb_recurrent r = {};
        r.cell = c.cell;
        r.hidden = hidden;
        r.couple_forget = c.couple;
        r.linear_before_reset = c.parts == 1 ? 1 : 0;
        std::copy(c.functions, c.functions + 3, r.functions);
        r.clip = clip;
        r.second = c.cell == PB_GRU && c.parts == 2 ? &second : nullptr;
        r.r_bias = repeat % 2 == 0 ? r_bias.data() : nullptr;
        r.peephole = c.peepholes ? peephole.data() : nullptr;
        r.peephole_shift = 12;
        const auto x = numbers(4 * padded, 1 << 30), p = numbers(4 * padded, (1 << 30) - 1);
        const auto h = numbers(padded, 32767), cells = numbers(padded, 1 << 30);
        auto z = numbers(padded, 16384);
        for (auto& v : z) v += 16384;  // a gate
        for (int part = 0; part < c.parts; ++part) {
          const auto run = [&](pb_units_fn units) {
            std::vector<std::vector<std::int32_t>> states = {h, cells, z};
            const pb_cell a = {x.data(), p.data(), states[0].data(), states[1].data(),
                               states[2].data()};
            units(&r, part, 0, 32, &a);
            units(&r, part, 32, hidden, &a);
            for (auto& s : states) s.resize(hidden);
            return states;
          };
          const auto wanted = run(pb_units);
          for (const IntegerFunctions& functions : all_integer_functions()) {
            if (!isa_runs_here(functions.isa)) continue;
            ASSERT_EQ(run(functions.fns->stepper.units), wanted)
                << functions.name << ", cell " << c.cell << ", part " << part << ", clip " << clip;
          }
        }
      }
    }
  }
}

// A short form of bench/integer_bits.py: a layer that feeds itself, by tiles and by the codes as in
// the exported C.
TEST(IntegerSteps, StreamsHaveTheSameBits) {
  constexpr int hidden = 40, padded = 48, steps = 2000;
  for (const int bits : {2, 4, 7, 8}) {
    for (const int state_shift : {8, 0}) {
      for (const int cell : {PB_LSTM, PB_GRU}) {
        const int gates = cell == PB_LSTM ? 4 : 3;
        CodeProduct problem(gates * padded, hidden, bits, 32);
        problem.randomize(static_cast<unsigned>(bits), 1);
        problem.x[0] = state_shift == 0 ? 32767 : 127;  // which codes may come
        problem.to_result.assign(static_cast<std::size_t>(gates * padded),
                                 {1 << 20, state_shift == 0 ? bits + 20 : bits + 12});
        std::fill(problem.bias.begin(), problem.bias.end(), 0);
        problem.prepare();
        problem.product.hi = (1 << 30) - 1;
        problem.product.lo = -problem.product.hi;
        std::mt19937 random(9);
        std::vector<std::int32_t> x(static_cast<std::size_t>(steps * gates * padded));
        for (auto& v : x) v = static_cast<std::int32_t>(random() % (1U << 22)) - (1 << 21);
        pb_recurrent r = {};
        r.cell = cell;
        r.steps = steps;
        r.batch = 1;
        r.hidden = hidden;
        r.x_step = gates * padded;
        r.y_step = hidden;
        r.linear_before_reset = 1;
        r.functions[1] = r.functions[2] = 1;
        r.clip = 1 << 30;
        r.state_shift = state_shift;
        r.product = &problem.product;
        std::vector<std::int64_t> scratch(static_cast<std::size_t>(pb_recurrent_scratch(&r)) / 8 +
                                          1);
        std::vector<std::int32_t> wanted(static_cast<std::size_t>(steps * hidden));
        std::vector<std::int32_t> y(wanted.size());
        pb_recurrent_data data = {x.data(),      nullptr, nullptr, nullptr,
                                  wanted.data(), nullptr, nullptr};
        pb_recurrent_run(&pb_plain_steps, &r, &data, scratch.data());
        const auto [least, most] = std::minmax_element(wanted.begin(), wanted.end());
        ASSERT_LT(*least, -8000);
        ASSERT_GT(*most, 8000);
        data.y = y.data();
        for (const IntegerFunctions& functions : all_integer_functions()) {
          if (!isa_runs_here(functions.isa)) continue;
          functions.fns->recurrent(&functions.fns->stepper, &r, &data, scratch.data());
          ASSERT_TRUE(y == wanted) << functions.name << ", " << bits << " bits, cell " << cell;
        }
      }
    }
  }
}

TEST(IntegerSteps, SoftmaxIsCloseToTheRealOne) {
  std::vector<std::int32_t> powers, x, y(40);
  for (int i = 0; i <= 256; ++i) {
    powers.push_back(static_cast<std::int32_t>(std::lround(std::ldexp(std::exp2(-i / 256.0), 30))));
  }
  std::mt19937 random(3);
  for (int i = 0; i < 40; ++i) x.push_back(static_cast<int>(random() % 65535) - 32767);
  const double scale = 1.0 / 3000;  // of a code
  pb_softmax s = {2,
                  20,
                  {static_cast<std::int32_t>(std::lround(scale * 65536 / std::log(2) * 65536)), 16},
                  powers.data()};
  for (const IntegerFunctions& functions : all_integer_functions()) {
    if (!isa_runs_here(functions.isa)) continue;
    functions.fns->softmax(&s, x.data(), y.data());
    for (int r = 0; r < 2; ++r) {
      double sum = 0;
      for (int i = 0; i < 20; ++i) sum += std::exp(x[static_cast<std::size_t>(r * 20 + i)] * scale);
      for (int i = 0; i < 20; ++i) {
        const auto at = static_cast<std::size_t>(r * 20 + i);
        EXPECT_NEAR(y[at], 32768 * std::exp(x[at] * scale) / sum, 1.5) << functions.name;
      }
    }
  }
}

TEST(IntegerSteps, LayerNormalizationIsCloseToTheRealOne) {
  constexpr int n = 50;
  std::vector<std::int32_t> x, gamma, y(2 * n);
  std::vector<std::int64_t> beta;
  std::mt19937 random(4);
  for (int i = 0; i < 2 * n; ++i) x.push_back(static_cast<int>(random() % 20000) - 3000);
  for (int i = 0; i < n; ++i) {
    gamma.push_back(static_cast<int>(random() % 65535) - 32767);
    beta.push_back(static_cast<std::int64_t>(random() % 100000) << 10);
  }
  // Results of 2^-10 where gamma is of 2^-15: 2^-30 to 2^-10.
  pb_layer_norm a = {2, n, 256 * 100, gamma.data(), beta.data(), {1, 20}, -2000000, 2000000};
  for (const IntegerFunctions& functions : all_integer_functions()) {
    if (!isa_runs_here(functions.isa)) continue;
    functions.fns->layer_norm(&a, x.data(), y.data());
    for (int r = 0; r < 2; ++r) {
      double mean = 0, square = 0;
      for (int i = 0; i < n; ++i) mean += x[static_cast<std::size_t>(r * n + i)] / double(n);
      for (int i = 0; i < n; ++i) {
        square += std::pow(x[static_cast<std::size_t>(r * n + i)] - mean, 2) / n;
      }
      for (int i = 0; i < n; ++i) {
        const auto at = static_cast<std::size_t>(r * n + i), c = static_cast<std::size_t>(i);
        const double normal = (x[at] - mean) / std::sqrt(square + 100);
        const double real = std::ldexp(normal * gamma[c], -5) + std::ldexp(double(beta[c]), -20);
        EXPECT_NEAR(y[at], real, 1.6 + std::fabs(real) * 1e-4) << functions.name;
      }
    }
  }
}

}  // namespace
}  // namespace pbatch::testing
