#include "kernel/epilogue.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "kernel/registry.h"
#include "tests/kernel/time_box.h"

namespace pbatch::testing {
namespace {

constexpr std::int64_t kRows = 37, kStride = 48;

struct Inputs {
  std::vector<float> acc[2];
  std::vector<float> row_scale, bias, added;
  float activation_scale = 0;
};

Inputs random_inputs(std::mt19937_64& rng) {
  std::normal_distribution<float> normal;
  Inputs in;
  for (auto& digit : in.acc) {
    digit.resize(2 * kStride);
    for (float& value : digit) value = std::round(normal(rng) * 1e6f);
  }
  in.row_scale.resize(kRows);
  in.bias.resize(kRows);
  for (float& value : in.row_scale) value = std::fabs(normal(rng)) * 1e-3f;
  for (float& value : in.bias) value = normal(rng);
  in.added.resize(kRows);
  for (float& value : in.added) value = normal(rng);
  in.activation_scale = std::fabs(normal(rng)) * 1e-4f;
  return in;
}

// Rounds to float: the double holds sums and products of two floats exactly enough for it to be
// the one rounding.
float fl(double value) { return static_cast<float>(value); }
double exactly(float value) { return value; }

float expected(const EpilogueArgs& a, std::int64_t r) {
  float d[2] = {0, 0};
  for (int i = 0; i < (a.weight_bits > 8 ? 2 : 1); ++i) {
    const float first = a.acc[i][r];
    d[i] = a.activation_bits == 32
               ? fl(exactly(fl(exactly(first) * 32768)) + exactly(a.acc[i][a.acc_stride + r]))
               : first;
  }
  float v = d[0];
  if (a.weight_bits > 8) {
    v = fl(exactly(fl(std::ldexp(exactly(d[0]), a.weight_bits - 8))) + exactly(d[1]));
  }
  const float scale = fl(std::ldexp(exactly(a.row_scale[r]), -a.weight_bits));
  float y = fl(exactly(fl(exactly(v) * exactly(scale))) * exactly(a.activation_scale));
  if (a.added != nullptr) y = fl(exactly(y) + exactly(a.added[r]));
  if (a.bias != nullptr) y = fl(exactly(y) + exactly(a.bias[r]));
  return a.activation == Activation::relu ? std::max(y, 0.0f) : y;
}

TEST(Epilogue, FollowsTheOrderWrittenDown) {
  const IsaChoice isa = *resolve_isa(nullptr);
  std::mt19937_64 rng(kSeed);
  for (int weight_bits = 1; weight_bits <= 16; ++weight_bits) {
    for (const int activation_bits : {8, 16, 32}) {
      for (const bool with_bias : {false, true}) {
        for (const Activation activation : {Activation::none, Activation::relu}) {
          const Inputs in = random_inputs(rng);
          EpilogueArgs args = {};
          args.acc[0] = in.acc[0].data();
          args.acc[1] = weight_bits > 8 ? in.acc[1].data() : nullptr;
          args.acc_stride = kStride;
          args.weight_bits = weight_bits;
          args.activation_bits = activation_bits;
          args.activation_scale = in.activation_scale;
          args.row_scale = in.row_scale.data();
          args.bias = with_bias ? in.bias.data() : nullptr;
          args.added = weight_bits % 2 == 0 ? in.added.data() : nullptr;
          args.activation = activation;
          for (const Epilogue& epilogue : all_epilogues()) {
            if (!isa.runs(epilogue.isa)) continue;
            const float untouched = -12345.0f;
            std::vector<float> y(kRows, untouched);
            epilogue.run(&args, 3, 31, y.data());
            for (std::int64_t r = 0; r < kRows; ++r) {
              const bool inside = r >= 3 && r < 31;
              ASSERT_EQ(y[static_cast<std::size_t>(r)], inside ? expected(args, r) : untouched)
                  << epilogue.name << ", row " << r << ", weight bits " << weight_bits
                  << ", activation bits " << activation_bits;
            }
          }
        }
      }
    }
  }
}

TEST(Epilogue, ReluKeepsNaN) {
  const std::vector<float> acc(16, std::numeric_limits<float>::quiet_NaN());
  const std::vector<float> row_scale(16, 1.0f);
  EpilogueArgs args = {};
  args.acc[0] = acc.data();
  args.acc_stride = 16;
  args.weight_bits = 4;
  args.activation_bits = 8;
  args.activation_scale = 1.0f;
  args.row_scale = row_scale.data();
  args.activation = Activation::relu;
  const IsaChoice isa = *resolve_isa(nullptr);
  for (const Epilogue& epilogue : all_epilogues()) {
    if (!isa.runs(epilogue.isa)) continue;
    std::vector<float> y(16);
    epilogue.run(&args, 0, 16, y.data());
    for (const float v : y) EXPECT_TRUE(std::isnan(v)) << epilogue.name;
  }
}

}  // namespace
}  // namespace pbatch::testing
