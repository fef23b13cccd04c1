#include "cascade/clopper_pearson.h"

#include <gtest/gtest.h>

#include <cmath>

namespace pbatch {
namespace {

// scipy.special.betainc(a, b, x), SciPy 1.18.
TEST(IncompleteBeta, IsScipys) {
  struct Case {
    double a, b, x, value;
  };
  for (const Case& c : {Case{1, 1, 0.25, 0.25},
                        {0.5, 0.5, 0.1, 0.20483276469913345},
                        {2, 3, 0.5, 0.6875},
                        {47, 59954, 0.001, 0.9635626669945286},
                        {301, 701, 0.32, 0.9109100350486389},
                        {10, 0.5, 0.99, 0.6579281751567845},
                        {1e4, 5e4, 0.17, 0.9854370505691052}}) {
    EXPECT_NEAR(incomplete_beta(c.a, c.b, c.x), c.value, 1e-9 * c.value)
        << c.a << ' ' << c.b << ' ' << c.x;
  }
  EXPECT_EQ(incomplete_beta(3, 4, 0), 0);
  EXPECT_EQ(incomplete_beta(3, 4, 1), 1);
}

// scipy.stats.beta.ppf(confidence, hits + 1, items - hits).
TEST(ClopperPearson, IsScipys) {
  struct Case {
    std::int64_t hits, items;
    double confidence, bound;
  };
  for (const Case& c : {Case{0, 1, 0.95, 0.95},
                        {0, 2995, 0.95, 0.000999744420901142},
                        {0, 2994, 0.95, 0.0010000781698466697},
                        {1, 10, 0.95, 0.39416330243650466},
                        {3, 100, 0.975, 0.08517605297428002},
                        {5, 60000, 0.95, 0.00017520919875475135},
                        {46, 60000, 0.95, 0.0009801590572018099},
                        {47, 60000, 0.95, 0.0009988168022414244},
                        {500, 1000, 0.9, 0.5207490091502252},
                        {9, 10, 0.95, 0.9948838031081763},
                        {10000, 60000, 0.99, 0.17023633517210207},
                        {2, 7400, 0.975, 0.000975964548971801}}) {
    EXPECT_NEAR(clopper_pearson_upper(c.hits, c.items, c.confidence), c.bound, 1e-9 * c.bound)
        << c.hits << " of " << c.items;
  }
  EXPECT_EQ(clopper_pearson_upper(10, 10, 0.95), 1);
}

}  // namespace
}  // namespace pbatch
