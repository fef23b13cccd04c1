// Functions of vectors: the same bits on every ISA, as accurate as promised, right at the edges.
#include "kernel/vectors.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <random>
#include <vector>

#include "kernel/registry.h"

namespace pbatch::testing {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kAlpha = 1.3F, kBeta = 0.7F;

// The functions that have no exact answers of their own here: the C library's, or a choice or two.
bool has_exponential(ElementFunction f) {
  switch (f) {
    case ElementFunction::celu:
    case ElementFunction::elu:
    case ElementFunction::erf:
    case ElementFunction::exp:
    case ElementFunction::gelu:
    case ElementFunction::gelu_tanh:
    case ElementFunction::mish:
    case ElementFunction::selu:
    case ElementFunction::sigmoid:
    case ElementFunction::swish:
    case ElementFunction::tanh:
      return true;
    default:
      return false;
  }
}

double exact(ElementFunction f, double x) {
  constexpr double alpha = kAlpha, beta = kBeta;
  switch (f) {
    case ElementFunction::exp:
      return std::exp(x);
    case ElementFunction::tanh:
      return std::tanh(x);
    case ElementFunction::sigmoid:
      return 1 / (1 + std::exp(-x));
    case ElementFunction::erf:
      return std::erf(x);
    case ElementFunction::gelu:
      return x / 2 * std::erfc(-x / std::sqrt(2.0));
    case ElementFunction::gelu_tanh:
      return x / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    case ElementFunction::swish:
      return x / (1 + std::exp(-alpha * x));
    case ElementFunction::mish:
      return x * std::tanh(std::log1p(std::exp(x)));
    case ElementFunction::celu:
      return x < 0 ? alpha * std::expm1(x / alpha) : x;
    case ElementFunction::elu:
      return x < 0 ? alpha * std::expm1(x) : x;
    case ElementFunction::selu:
      return beta * (x < 0 ? alpha * std::expm1(x) : x);
    case ElementFunction::abs:
      return std::fabs(x);
    case ElementFunction::clip:  // the bounds cross: the upper one counts
      return std::fmin(std::fmax(x, alpha), beta);
    case ElementFunction::hard_sigmoid:
      return std::fmin(std::fmax(alpha * x + beta, 0), 1);
    case ElementFunction::hard_swish:
      return x * std::fmin(std::fmax(x / 6 + 0.5, 0), 1);
    case ElementFunction::leaky_relu:
      return x < 0 ? alpha * x : x;
    case ElementFunction::log:
      return std::log(x);
    case ElementFunction::neg:
      return -x;
    case ElementFunction::reciprocal:
      return 1 / x;
    case ElementFunction::relu:
      return std::fmax(x, 0);
    case ElementFunction::shrink:
      return x < -alpha ? x + beta : x > alpha ? x - beta : 0;
    case ElementFunction::softplus:
      return x > 40 ? x : std::log1p(std::exp(x));
    case ElementFunction::softsign:
      return x / (1 + std::fabs(x));
    case ElementFunction::sqrt:
      return std::sqrt(x);
    case ElementFunction::thresholded_relu:
      return x <= alpha ? 0 : x;
    default:  // of two numbers
      break;
  }
  ADD_FAILURE() << "a function without an exact answer";
  return 0;
}

std::vector<float> points() {
  std::vector<float> x;
  for (int i = -4000; i <= 4000; ++i) x.push_back(static_cast<float>(i) * 0.03F);
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  for (int i = 0; i < 4000; ++i) x.push_back(normal(random));
  for (int e = -149; e <= 0; ++e) x.push_back(std::ldexp(1.0F, e));
  return x;
}

float apply_one(const VectorFns& fns, ElementFunction f, float x) {
  float y = 0;
  fns.apply(f, 1, &x, kAlpha, kBeta, &y);
  return y;
}

TEST(Vectors, AreAsAccurateAsPromised) {
  const std::vector<float> x = points();
  std::vector<float> y(x.size());
  for (int f = 0; f < kFunctionsOfOne; ++f) {
    const auto function = static_cast<ElementFunction>(f);
    all_vectors()[0].fns->apply(function, static_cast<std::int64_t>(x.size()), x.data(), kAlpha,
                                kBeta, y.data());
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double wanted = exact(function, x[i]);
      if (std::isnan(wanted) || std::fabs(wanted) > 3.4e38) {
        EXPECT_EQ(std::isnan(y[i]), std::isnan(wanted)) << f << " at " << x[i];
        EXPECT_EQ(std::isinf(y[i]), !std::isnan(wanted)) << f << " at " << x[i];
        continue;
      }
      const double size = std::fabs(double{x[i]});
      const bool product =
          function == ElementFunction::gelu || function == ElementFunction::gelu_tanh;
      double scale = std::max(std::fabs(wanted), product ? size : std::min(1.0, size));
      if (!has_exponential(function)) scale = std::max({1.0, size, std::fabs(wanted)});
      EXPECT_NEAR(y[i], wanted, 5e-7 * std::max(scale, 1e-38)) << f << " at " << x[i];
    }
  }
}

TEST(Vectors, KnowInfinitiesNanAndZeros) {
  using F = ElementFunction;
  for (const VectorFunctions& set : all_vectors()) {
    if (!isa_runs_here(set.isa)) continue;
    const auto at = [&](F f, float x) { return apply_one(*set.fns, f, x); };
    for (int f = 0; f < kFunctionsOfOne; ++f) {
      EXPECT_TRUE(std::isnan(at(static_cast<F>(f), NAN))) << set.name << " " << f;
    }
    EXPECT_EQ(at(F::exp, kInfinity), kInfinity);
    EXPECT_EQ(at(F::exp, -kInfinity), 0.0F);
    EXPECT_EQ(at(F::exp, 0.0F), 1.0F);
    EXPECT_EQ(at(F::tanh, kInfinity), 1.0F);
    EXPECT_EQ(at(F::tanh, -kInfinity), -1.0F);
    EXPECT_EQ(at(F::erf, kInfinity), 1.0F);
    EXPECT_EQ(at(F::erf, -kInfinity), -1.0F);
    EXPECT_EQ(at(F::sigmoid, kInfinity), 1.0F);
    EXPECT_EQ(at(F::sigmoid, -kInfinity), 0.0F);
    EXPECT_EQ(at(F::elu, -kInfinity), -kAlpha);
    EXPECT_EQ(at(F::elu, kInfinity), kInfinity);
    EXPECT_EQ(at(F::gelu, kInfinity), kInfinity);
    EXPECT_EQ(at(F::clip, kInfinity), kBeta);
    EXPECT_EQ(at(F::leaky_relu, -kInfinity), -kInfinity);
    for (const F odd : {F::tanh, F::erf}) {
      EXPECT_TRUE(std::signbit(at(odd, -0.0F))) << set.name;
      EXPECT_FALSE(std::signbit(at(odd, 0.0F))) << set.name;
    }
  }
}

std::vector<float> random_floats_with_edges(std::size_t count) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal(0, 9);
  std::vector<float> x(count);
  for (float& v : x) v = normal(random);
  return x;
}

TEST(Vectors, AreTheSameOnEveryIsa) {
  for (const std::int64_t count : {1, 7, 16, 31, 100}) {
    const std::vector<float> x = random_floats_with_edges(static_cast<std::size_t>(count * 20));
    // Everything a set computes, one result behind the other.
    const auto all = [&](const VectorFns& fns) {
      std::vector<float> y(x.size()), made;
      const auto keep = [&] { made.insert(made.end(), y.begin(), y.end()); };
      for (int f = 0; f < kFunctionsOfOne; ++f) {
        fns.apply(static_cast<ElementFunction>(f), static_cast<std::int64_t>(x.size()), x.data(),
                  kAlpha, kBeta, y.data());
        keep();
      }
      for (const int log : {0, 1}) {
        fns.softmax_row(count, log, x.data(), y.data());
        keep();
        for (const int vectors : {1, 5, 16}) {
          fns.softmax_columns(count, 20, vectors, log, x.data(), y.data());
          keep();
        }
      }
      for (const float* offset : {static_cast<const float*>(nullptr), x.data() + 2 * count}) {
        fns.normalize(count, x.data(), 0.3F, 1.7F, x.data() + count, offset, y.data());
        keep();
      }
      y = x;
      fns.add_rows(count, 5, x.data(), x.data() + 7, 3 * count, y.data());
      keep();
      made.push_back(static_cast<float>(fns.sum(count, x.data())));
      made.push_back(static_cast<float>(fns.squares(count, x.data(), 0.25)));
      y = x;
      fns.max_into(count, x.data() + count, y.data());
      keep();
      fns.add_into(count, x.data() + count, y.data());
      keep();
      return made;
    };
    const std::vector<float> expected = all(*all_vectors()[0].fns);
    for (const VectorFunctions& set : all_vectors().subspan(1)) {
      if (!isa_runs_here(set.isa)) continue;
      const std::vector<float> got = all(*set.fns);
      EXPECT_EQ(0, std::memcmp(got.data(), expected.data(), expected.size() * sizeof(float)))
          << set.name << " " << count;
    }
  }
}

// IEEE 754 says what each result is; the compiler of this file makes single operations of them.
float of_two(ElementFunction f, float a, float b) {
  switch (f) {
    case ElementFunction::add:
      return a + b;
    case ElementFunction::sub:
      return a - b;
    case ElementFunction::mul:
      return a * b;
    case ElementFunction::div:
      return a / b;
    case ElementFunction::max:
      return std::isnan(a) || std::isnan(b) ? NAN : std::max(b, a);
    case ElementFunction::min:
      return std::isnan(a) || std::isnan(b) ? NAN : std::min(b, a);
    default:
      ADD_FAILURE() << "a function without an exact answer";
      return 0;
  }
}

TEST(Vectors, FunctionsOfTwoAreRoundedOnce) {
  constexpr std::int64_t kCount = 77;
  std::vector<float> a = random_floats_with_edges(kCount), b = random_floats_with_edges(kCount);
  std::reverse(b.begin(), b.end());
  a[3] = 0x1p-140F;
  b[9] = a[11] = NAN;
  // What is divided by the same number throughout: powers of two and others, down to subnormals.
  for (const float first : {8.0F, -0.25F, 3.0F, 0x1p127F, 0x1p-126F, 0x1p-149F, 0.0F, kInfinity}) {
    b[0] = first;
    for (const VectorFunctions& set : all_vectors()) {
      if (!isa_runs_here(set.isa)) continue;
      for (int o = kFunctionsOfOne; o < kElementFunctions; ++o) {
        const auto op = static_cast<ElementFunction>(o);
        for (const auto& [a_step, b_step] : {std::pair{1, 1}, {1, 0}, {0, 1}, {0, 0}}) {
          std::vector<float> y(kCount);
          set.fns->combine(op, kCount, a.data(), a_step, b.data(), b_step, y.data());
          for (std::size_t i = 0; i < kCount; ++i) {
            const float wanted = of_two(op, a[a_step != 0 ? i : 0], b[b_step != 0 ? i : 0]);
            const bool same = std::isnan(wanted) ? std::isnan(y[i])
                                                 : std::memcmp(&wanted, &y[i], sizeof wanted) == 0;
            EXPECT_TRUE(same) << set.name << " " << o << ": " << wanted << " " << y[i];
          }
        }
      }
    }
  }
}

TEST(Vectors, NormalizeIsThatOfTheDefinition) {
  const float x[] = {1, -2, 4}, factor[] = {2, 3, 0.5F}, offset[] = {10, 20, 30};
  for (const VectorFunctions& set : all_vectors()) {
    if (!isa_runs_here(set.isa)) continue;
    float y[3];
    set.fns->normalize(3, x, 1, 0.5F, factor, nullptr, y);
    EXPECT_EQ(std::vector<float>(y, y + 3), (std::vector<float>{0, -4.5F, 0.75F})) << set.name;
    set.fns->normalize(3, x, 1, 0.5F, factor, offset, y);
    EXPECT_EQ(std::vector<float>(y, y + 3), (std::vector<float>{10, 15.5F, 30.75F})) << set.name;
  }
}

TEST(Vectors, WeightsAreThoseOfTheScheme) {
  std::mt19937 random(6);
  for (int n = 1; n <= 16; ++n) {
    std::uint32_t words[16];
    for (std::uint32_t& word : words) word = static_cast<std::uint32_t>(random());
    const double half_step = 0.7 / (1 << n);
    for (const VectorFunctions& set : all_vectors()) {
      if (!isa_runs_here(set.isa)) continue;
      float y[32];
      set.fns->weights(n, words, half_step, y);
      for (int c = 0; c < 32; ++c) {
        double code = 0;
        for (int p = 0; p < n; ++p) code = 2 * code + (words[p] >> c & 1);
        const double level = 2 * code + 1 - std::ldexp(1.0, n);
        EXPECT_EQ(y[c], static_cast<float>(half_step * level)) << set.name << " " << n << " " << c;
      }
    }
  }
}

TEST(Vectors, RowsAreAddedInOrder) {
  for (const std::int64_t count : {1, 2, 3, 7, 12, 15, 16, 50, 300}) {
    constexpr std::int64_t kTerms = 9;
    const std::int64_t stride = count + 2;
    const std::vector<float> rows =
        random_floats_with_edges(static_cast<std::size_t>(kTerms * stride));
    const std::vector<float> factors = {1, -2, 0.3F, 0, 5, 1e-3F, 7, -0.25F, 3};
    for (const VectorFunctions& set : all_vectors()) {
      if (!isa_runs_here(set.isa)) continue;
      std::vector<float> y(static_cast<std::size_t>(count), 0.5F);
      set.fns->add_rows(count, kTerms, factors.data(), rows.data(), stride, y.data());
      for (std::int64_t i = 0; i < count; ++i) {
        float wanted = 0.5F;
        for (std::int64_t t = 0; t < kTerms; ++t) {
          const float product =
              factors[static_cast<std::size_t>(t)] * rows[static_cast<std::size_t>(t * stride + i)];
          wanted += product;
        }
        const float got = y[static_cast<std::size_t>(i)];
        EXPECT_TRUE(got == wanted || (std::isnan(got) && std::isnan(wanted)))
            << set.name << " " << count << ": " << got << " " << wanted;
      }
    }
  }
}

TEST(Vectors, SoftmaxIsThatOfTheDefinition) {
  constexpr std::int64_t kCount = 37, kStride = 20;
  const std::vector<float> x = random_floats_with_edges(kCount * kStride);
  const VectorFns& fns = *all_vectors()[0].fns;
  std::vector<float> y(x.size());
  for (const int log : {0, 1}) {
    fns.softmax_columns(kCount, kStride, 3, log, x.data(), y.data());
    for (std::int64_t v = 0; v < 3; ++v) {
      const auto at = [&](std::int64_t i) {
        return double{x[static_cast<std::size_t>(i * kStride + v)]};
      };
      double most = at(0), sum = 0;
      for (std::int64_t i = 0; i < kCount; ++i) most = std::max(most, at(i));
      for (std::int64_t i = 0; i < kCount; ++i) sum += std::exp(at(i) - most);
      for (std::int64_t i = 0; i < kCount; ++i) {
        const double wanted =
            log != 0 ? at(i) - most - std::log(sum) : std::exp(at(i) - most) / sum;
        EXPECT_NEAR(y[static_cast<std::size_t>(i * kStride + v)], wanted, log != 0 ? 1e-5 : 1e-6);
      }
    }
  }
}

TEST(Vectors, NanWinsAMaximumAndSpreadsInASoftmax) {
  for (const VectorFunctions& set : all_vectors()) {
    if (!isa_runs_here(set.isa)) continue;
    float acc[3] = {1, NAN, -kInfinity};
    const float x[3] = {NAN, 2, -kInfinity};
    set.fns->max_into(3, x, acc);
    EXPECT_TRUE(std::isnan(acc[0]) && std::isnan(acc[1])) << set.name;
    EXPECT_EQ(acc[2], -kInfinity);
    float row[20], y[20];
    for (int i = 0; i < 20; ++i) row[i] = static_cast<float>(i);
    row[5] = NAN;
    set.fns->softmax_row(20, 0, row, y);
    for (const float v : y) EXPECT_TRUE(std::isnan(v)) << set.name;
    // Rows long enough for several vectors, the NaN at the first place and at the last of each.
    for (const int at : {0, 1, 7, 15, 16, 31, 32, 63, 99}) {
      std::vector<float> longer(100), out(100);
      for (int i = 0; i < 100; ++i) longer[static_cast<std::size_t>(i)] = static_cast<float>(-i);
      longer[static_cast<std::size_t>(at)] = NAN;
      set.fns->softmax_row(100, 0, longer.data(), out.data());
      for (const float v : out) EXPECT_TRUE(std::isnan(v)) << set.name << " " << at;
    }
  }
}

}  // namespace
}  // namespace pbatch::testing
