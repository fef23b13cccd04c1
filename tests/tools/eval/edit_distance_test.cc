#include "tools/eval/edit_distance.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace pbatch {
namespace {

std::int64_t distance(const std::string& a, const std::string& b) {
  return edit_distance(std::vector<std::int64_t>(a.begin(), a.end()),
                       std::vector<std::int64_t>(b.begin(), b.end()));
}

// By its definition.
std::int64_t naive(std::span<const std::int64_t> a, std::span<const std::int64_t> b) {
  if (a.empty() || b.empty()) return static_cast<std::int64_t>(a.size() + b.size());
  const auto ra = a.subspan(1), rb = b.subspan(1);
  if (a[0] == b[0]) return naive(ra, rb);
  return 1 + std::min({naive(ra, b), naive(a, rb), naive(ra, rb)});
}

TEST(EditDistanceTest, KnownCases) {
  EXPECT_EQ(distance("", ""), 0);
  EXPECT_EQ(distance("", "abc"), 3);
  EXPECT_EQ(distance("abc", ""), 3);
  EXPECT_EQ(distance("kitten", "sitting"), 3);
  EXPECT_EQ(distance("saturday", "sunday"), 3);
  EXPECT_EQ(distance("abcd", "abcd"), 0);
  EXPECT_EQ(distance("ab", "ba"), 2);
}

TEST(EditDistanceTest, AsDefined) {
  std::mt19937 random(1);
  for (int i = 0; i < 200; ++i) {
    std::vector<std::int64_t> a(random() % 7), b(random() % 7);
    for (auto* v : {&a, &b}) {
      for (auto& x : *v) x = static_cast<std::int64_t>(random() % 3);
    }
    EXPECT_EQ(edit_distance(a, b), naive(a, b));
  }
}

}  // namespace
}  // namespace pbatch
