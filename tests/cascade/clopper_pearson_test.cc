#include "cascade/clopper_pearson.h"

#include <gtest/gtest.h>

namespace pbatch {
namespace {

// scipy.stats.beta.ppf(confidence, hits + 1, items - hits), SciPy 1.18.
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
