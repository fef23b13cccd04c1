// Every activation quantizer against the closed form of kernel.h, computed in doubles: the quotient
// and the product of two floats are exact enough there that rounding them to float is rounding
// once.
#include <gtest/gtest.h>

#include <cfloat>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "kernel/registry.h"
#include "tests/kernel/layouts.h"
#include "tests/kernel/time_box.h"

namespace pbatch::testing {
namespace {

constexpr std::int32_t kGuard = 0x3c3c3c3c;

struct Quantized {
  int ok = 0;
  float scale = -1.0f;
  std::vector<std::int32_t> q, run_sums;
  std::vector<std::uint8_t> digits;
};

// Runs the quantizer into `layout` and returns what it wrote.
std::vector<std::uint8_t> quantize_to(const ActivationQuantizer& quantizer,
                                      const std::vector<float>& x, int activation_bits,
                                      int run_blocks, ActivationLayout layout, Quantized& result) {
  const auto cols = static_cast<std::int64_t>(x.size());
  const std::int64_t blocks = col_blocks(cols);
  const std::int64_t runs = (blocks + run_blocks - 1) / run_blocks;
  const auto sums = static_cast<std::size_t>(runs * activation_halves(activation_bits));
  const auto bytes = static_cast<std::size_t>(packed_bytes(layout, blocks, activation_bits));
  std::vector<Line> out(bytes / 64 + 1);
  std::memset(out.data(), 0x3c, out.size() * sizeof(Line));
  result.run_sums.assign(sums + 1, kGuard);
  result.ok = quantizer.run(x.data(), cols, blocks, run_blocks, activation_bits, layout,
                            out.front().bytes, result.run_sums.data(), &result.scale);
  for (const std::uint8_t byte : out.back().bytes) EXPECT_EQ(byte, 0x3c);
  EXPECT_EQ(result.run_sums.back(), kGuard);
  result.run_sums.pop_back();
  const auto* const first = reinterpret_cast<const std::uint8_t*>(out.data());
  return {first, first + bytes};
}

Quantized quantize_with(const ActivationQuantizer& quantizer, const std::vector<float>& x,
                        int activation_bits, int run_blocks) {
  Quantized result, again;
  const std::vector<std::uint8_t> numbers =
      quantize_to(quantizer, x, activation_bits, run_blocks, kActivationNumbers, result);
  result.digits = quantize_to(quantizer, x, activation_bits, run_blocks, kActivationDigits, again);
  EXPECT_EQ(again.ok, result.ok);
  if (result.ok != 0) {
    EXPECT_EQ(again.scale, result.scale);
    EXPECT_EQ(again.run_sums, result.run_sums);
  }
  result.q.resize(numbers.size() / sizeof(std::int32_t));
  std::memcpy(result.q.data(), numbers.data(), numbers.size());
  return result;
}

Quantized closed_form(const std::vector<float>& x, int activation_bits, int run_blocks) {
  const auto cols = static_cast<std::int64_t>(x.size());
  Problem p;
  p.shape = {1, cols, 1, 1, activation_bits, run_blocks};
  p.q.resize(static_cast<std::size_t>(p.shape.padded_cols()));
  Quantized result;
  result.ok = 1;
  double max = 0;
  for (const float value : x) max = std::max(max, std::fabs(static_cast<double>(value)));
  const double qmax = q_max(activation_bits);
  result.scale = 0.0f;
  if (max >= std::ldexp(1.0, -90)) {
    result.scale = static_cast<float>(max / qmax);
    const double inverse = static_cast<float>(qmax / max);
    for (std::size_t c = 0; c < x.size(); ++c) {
      const double product = static_cast<float>(static_cast<double>(x[c]) * inverse);
      const double rounded = std::nearbyint(product);
      p.q[c] = static_cast<std::int32_t>(std::max(-qmax, std::min(qmax, rounded)));
    }
  }
  result.q = p.q;
  result.run_sums = run_sums_of(p);
  result.digits = packed(p.q, kActivationDigits, activation_bits);
  return result;
}

class QuantizerTest : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    if (!isa_runs_here(quantizer().isa)) {
      GTEST_SKIP() << "this CPU lacks " << isa_name(quantizer().isa);
    }
  }
  static const ActivationQuantizer& quantizer() {
    return all_quantizers()[static_cast<std::size_t>(GetParam())];
  }
  static void expect_closed_form(const std::vector<float>& x, int activation_bits, int run_blocks) {
    const Quantized actual = quantize_with(quantizer(), x, activation_bits, run_blocks);
    const Quantized expected = closed_form(x, activation_bits, run_blocks);
    ASSERT_EQ(actual.ok, 1);
    ASSERT_EQ(actual.scale, expected.scale) << "cols " << x.size() << " bits " << activation_bits;
    ASSERT_EQ(actual.q, expected.q) << "cols " << x.size() << " bits " << activation_bits;
    ASSERT_EQ(actual.digits, expected.digits) << "cols " << x.size() << " bits " << activation_bits;
    ASSERT_EQ(actual.run_sums, expected.run_sums) << "cols " << x.size() << " run " << run_blocks;
  }
  static void expect_closed_form_everywhere(const std::vector<float>& x) {
    for (const int activation_bits : {8, 16, 32}) {
      for (const int run_blocks : {1, 2, 4}) {
        expect_closed_form(x, activation_bits, run_blocks);
        if (HasFatalFailure()) return;
      }
    }
  }
};

TEST_P(QuantizerTest, IsTheClosedForm) {
  std::mt19937_64 rng(kSeed);
  std::normal_distribution<float> normal;
  TimeBox box(200);
  while (box.next()) {
    std::vector<float> x(1 + rng() % 1500);
    const int exponent = static_cast<int>(rng() % 215) - 89;
    for (float& value : x) value = std::ldexp(normal(rng), exponent);
    expect_closed_form(x, 8 << (rng() % 3), 1 << (rng() % 3));
    if (HasFatalFailure()) return;
  }
}

TEST_P(QuantizerTest, EveryLength) {
  std::mt19937_64 rng(kSeed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  for (std::size_t cols = 1; cols <= 600; cols += cols < 300 ? 1 : 7) {
    std::vector<float> x(cols);
    for (float& value : x) value = uniform(rng);
    expect_closed_form_everywhere(x);
    if (HasFatalFailure()) return;
  }
}

// max = 127 makes the factor 1, so the halves are exact: ties go to the even neighbour.
TEST_P(QuantizerTest, TiesGoToEven) {
  const std::vector<float> x = {127, 0.5f, 1.5f, 2.5f, 3.5f, -0.5f, -1.5f, -2.5f, 126.5f, -126.5f};
  const Quantized result = quantize_with(quantizer(), x, 8, 1);
  const std::vector<std::int32_t> expected = {127, 0, 2, 2, 4, 0, -2, -2, 126, -126};
  ASSERT_EQ(result.ok, 1);
  EXPECT_EQ(result.scale, 1.0f);
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), result.q.begin()));
}

TEST_P(QuantizerTest, SaturatesAtTheLargest) {
  std::mt19937_64 rng(kSeed);
  std::uniform_real_distribution<float> uniform(0.5f, 2.0f);
  for (int round = 0; round < 2000; ++round) {
    const float largest = uniform(rng);
    const std::vector<float> x = {largest, -largest, std::nextafter(largest, 0.0f)};
    for (const int activation_bits : {8, 16, 32}) {
      const Quantized result = quantize_with(quantizer(), x, activation_bits, 4);
      const double limit = q_max(activation_bits);
      for (const std::int32_t q : result.q) ASSERT_LE(std::fabs(q), limit);
      ASSERT_NEAR(result.q[0], limit, limit * 1e-6);
      ASSERT_EQ(result.q[1], -result.q[0]);
      ASSERT_NEAR(result.scale * limit, largest, largest * 1e-6);
    }
  }
}

TEST_P(QuantizerTest, ExtremeMagnitudes) {
  const float tiny = std::ldexp(1.0f, -90);
  const float denormal = std::numeric_limits<float>::denorm_min();
  for (const std::vector<float>& x :
       std::vector<std::vector<float>>{{FLT_MAX, -FLT_MAX, FLT_MIN, denormal, 1.0f},
                                       {tiny, -tiny / 2, denormal},
                                       {std::nextafter(tiny, 0.0f), -tiny / 2},
                                       {denormal, -denormal},
                                       {0.0f, -0.0f, 0.0f},
                                       {-FLT_MAX},
                                       {1.0f, denormal, -denormal, -0.0f}}) {
    expect_closed_form_everywhere(x);
    if (HasFatalFailure()) return;
  }
}

TEST_P(QuantizerTest, ZeroVectorHasScaleZero) {
  for (const float value : {0.0f, -0.0f, std::ldexp(0.99f, -90)}) {
    const Quantized result = quantize_with(quantizer(), std::vector<float>(45, value), 16, 1);
    EXPECT_EQ(result.ok, 1);
    EXPECT_EQ(result.scale, 0.0f);
    EXPECT_EQ(result.q, std::vector<std::int32_t>(64, 0));
    EXPECT_EQ(result.run_sums, std::vector<std::int32_t>(2, 0));
  }
}

TEST_P(QuantizerTest, RefusesWhatIsNotFinite) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  for (const std::size_t cols : {1, 7, 8, 16, 31, 32, 33, 100}) {
    for (std::size_t at = 0; at < cols; ++at) {
      for (const float bad : {nan, -nan, infinity, -infinity}) {
        std::vector<float> x(cols, 0.25f);
        x[at] = bad;
        EXPECT_EQ(quantize_with(quantizer(), x, 16, 2).ok, 0) << cols << " columns, at " << at;
      }
    }
  }
}

// As kernel.h has it; numbers that are no multiple of 8 long, one-sided, tiny and huge too.
TEST(AffineQuantizers, AreTheClosedForm) {
  std::mt19937 random(3);
  for (const auto& [low, high] : {std::pair{-1.0F, 1.0F},
                                  {0.0F, 6.0F},
                                  {-0.3F, 5.0F},
                                  {-7.0F, 0.0F},
                                  {-1e-30F, 1e-30F},
                                  {-3e38F, 3e38F},
                                  {2.0F, 2.5F}}) {
    for (const std::int64_t count : {1, 7, 16, 33, 100, 1000}) {
      std::vector<float> x(static_cast<std::size_t>(count));
      std::uniform_real_distribution<double> uniform(low, high);
      for (float& value : x) value = static_cast<float>(uniform(random));
      float least = 0, most = 0;
      for (const float value : x) {
        least = std::min(least, value);
        most = std::max(most, value);
      }
      float scale = 0, inverse = 0;
      if (std::max(most, -least) >= std::ldexp(1.0, -90)) {
        scale = most / 254 - least / 254;
        inverse = 1 / scale;
      }
      const auto rounded = [&](float v) { return std::nearbyint(v * inverse); };
      const double zero = rounded(least) + 127;
      for (const AffineQuantizer& quantizer : all_affine_quantizers()) {
        if (!isa_runs_here(quantizer.isa)) continue;
        std::vector<std::int8_t> q(x.size() + 1, 99);
        float made_scale = -1;
        std::int32_t made_zero = -1000;
        ASSERT_EQ(quantizer.run(x.data(), count, q.data(), &made_scale, &made_zero), 1);
        EXPECT_EQ(made_scale, scale) << quantizer.name;
        EXPECT_EQ(made_zero, zero) << quantizer.name;
        EXPECT_EQ(q.back(), 99);
        for (std::size_t i = 0; i < x.size(); ++i) {
          ASSERT_EQ(q[i], std::min(rounded(x[i]) - zero, 127.0)) << quantizer.name << " at " << i;
          ASSERT_GE(q[i], -127);
        }
      }
    }
  }
}

TEST(AffineQuantizers, RefuseNumbersThatAreNone) {
  for (const AffineQuantizer& quantizer : all_affine_quantizers()) {
    if (!isa_runs_here(quantizer.isa)) continue;
    for (const float bad : {NAN, -NAN, INFINITY, -INFINITY}) {
      for (std::size_t at = 0; at < 37; ++at) {
        std::vector<float> x(37, 0.5F);
        x[at] = bad;
        std::vector<std::int8_t> q(x.size());
        float scale = 0;
        std::int32_t zero = 0;
        EXPECT_EQ(quantizer.run(x.data(), 37, q.data(), &scale, &zero), 0) << quantizer.name;
      }
    }
  }
}

TEST(RunSums, AreThoseOfTheDefinition) {
  for (const RunSums& sums : all_run_sums()) {
    if (!isa_runs_here(sums.isa)) continue;
    for (const int bits : {8, 16, 32}) {
      for (const int run_blocks : {1, 2, 4}) {
        for (const std::int64_t cols : {1, 31, 32, 33, 200, 700}) {
          std::mt19937 random(static_cast<unsigned>(cols));
          std::vector<float> x(static_cast<std::size_t>(cols));
          for (float& value : x) value = std::normal_distribution<float>()(random);
          const Quantized quantized = closed_form(x, bits, run_blocks);
          std::vector<std::int32_t> actual(quantized.run_sums.size() + 1, kGuard);
          sums.run(quantized.digits.data(), col_blocks(cols), run_blocks, bits, actual.data());
          EXPECT_EQ(actual.back(), kGuard);
          actual.pop_back();
          EXPECT_EQ(actual, quantized.run_sums) << sums.name << ", " << cols << " columns";
        }
      }
    }
  }
}

std::string quantizer_name(const ::testing::TestParamInfo<int>& test) {
  return all_quantizers()[static_cast<std::size_t>(test.param)].name;
}

INSTANTIATE_TEST_SUITE_P(All, QuantizerTest,
                         ::testing::Range(0, static_cast<int>(all_quantizers().size())),
                         quantizer_name);

}  // namespace
}  // namespace pbatch::testing
