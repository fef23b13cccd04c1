// Magnitudes and codes that span decades, on every ISA against the obvious.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <random>
#include <vector>

#include "kernel/registry.h"

namespace pbatch::testing {
namespace {

TEST(IntegerCodes, MagnitudesAreRootsOfExactSums) {
  constexpr std::int32_t kMost = 1 << 30;
  std::vector<std::int32_t> x{0, kMost, -kMost, 3, 1, 0, kMost}, y{0, kMost, kMost, -4, 1, -7, 1};
  std::mt19937 random(1);
  for (int i = 0; i < 2000; ++i) {  // of all sizes
    x.push_back(static_cast<std::int32_t>(random() >> (2 + i % 29)) * (i % 3 == 0 ? -1 : 1));
    y.push_back(static_cast<std::int32_t>(random() >> (2 + i % 23)) * (i % 2 == 0 ? -1 : 1));
  }
  const auto count = static_cast<std::int64_t>(x.size());
  std::vector<std::int32_t> z(x.size());
  const pb_rescale whole{count, {1, 0}, 0, 2147483647};
  const pb_rescale halves{count, {1, 1}, 5, 1 << 29};
  for (const IntegerFunctions& functions : all_integer_functions()) {
    if (!isa_runs_here(functions.isa)) continue;
    functions.fns->magnitude(&whole, x.data(), y.data(), z.data());
    std::vector<std::int32_t> roots = z;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const auto sum = static_cast<unsigned long long>(static_cast<std::int64_t>(x[i]) * x[i] +
                                                       static_cast<std::int64_t>(y[i]) * y[i]);
      const auto root = static_cast<unsigned long long>(z[i]);
      ASSERT_LE(root * root, sum) << functions.name << " " << x[i] << " " << y[i];
      ASSERT_GT((root + 1) * (root + 1), sum) << functions.name << " " << x[i] << " " << y[i];
    }
    functions.fns->magnitude(&halves, x.data(), y.data(), z.data());
    for (std::size_t i = 0; i < x.size(); ++i) {
      ASSERT_EQ(z[i],
                std::min(std::max((static_cast<std::int64_t>(roots[i]) + 1) >> 1, std::int64_t{5}),
                         std::int64_t{1} << 29));
    }
  }
}

TEST(IntegerCodes, LevelsAreTheNearest) {
  std::mt19937 random(2);
  for (const std::vector<std::int32_t>& values : std::vector<std::vector<std::int32_t>>{
           {0}, {0, 5}, {0, 0, 1, 2, 4, 8, 16, 300, 32767}, {0, 2, 2, 2, 9}}) {
    std::vector<std::int32_t> x;
    for (std::int32_t i = -400; i <= 400; ++i) x.push_back(i);
    for (int i = 0; i < 1000; ++i) x.push_back(static_cast<std::int32_t>(random() % 65535) - 32767);
    std::vector<std::int32_t> y(x.size());
    const pb_levels l{static_cast<std::int64_t>(x.size()),
                      static_cast<std::int32_t>(values.size()) - 1, values.data()};
    for (const IntegerFunctions& functions : all_integer_functions()) {
      if (!isa_runs_here(functions.isa)) continue;
      functions.fns->levels(&l, x.data(), y.data());
      for (std::size_t i = 0; i < x.size(); ++i) {
        std::int32_t nearest = values[0];
        for (const std::int32_t v : values) {
          if (std::abs(std::abs(x[i]) - v) <= std::abs(std::abs(x[i]) - nearest)) nearest = v;
        }
        ASSERT_EQ(y[i], x[i] < 0 ? -nearest : nearest) << functions.name << " " << x[i];
      }
    }
  }
}

}  // namespace
}  // namespace pbatch::testing
