#include "quantize/name_pattern.h"

#include <gtest/gtest.h>

#include <string>

namespace pbatch {
namespace {

TEST(NamePattern, StarsStandForAnyRunOfCharacters) {
  EXPECT_TRUE(matches_pattern("/encoder/fc1", "/encoder/fc1"));
  EXPECT_FALSE(matches_pattern("/encoder/fc10", "/encoder/fc1"));
  EXPECT_FALSE(matches_pattern("/encoder/fc1", "fc1"));
  EXPECT_TRUE(matches_pattern("/encoder/fc1", "*fc1"));
  EXPECT_TRUE(matches_pattern("/encoder/fc1", "/enc*/*1"));
  EXPECT_TRUE(matches_pattern("/encoder/fc1", "*"));
  EXPECT_TRUE(matches_pattern("/encoder/fc1", "**fc1**"));
  EXPECT_TRUE(matches_pattern("aXbXc", "a*Xc"));
  EXPECT_FALSE(matches_pattern("aXbXd", "a*Xc"));
  EXPECT_TRUE(matches_pattern("", "*"));
  EXPECT_TRUE(matches_pattern("", ""));
  EXPECT_FALSE(matches_pattern("a", ""));
  EXPECT_FALSE(matches_pattern("", "a"));
  EXPECT_TRUE(matches_pattern("a?c", "a?c"));  // only '*' is special
  EXPECT_FALSE(matches_pattern("abc", "a?c"));
}

TEST(NamePattern, ManyStarsStayFast) {
  std::string pattern;
  for (int i = 0; i < 1000; ++i) pattern += "a*";
  EXPECT_FALSE(matches_pattern(std::string(5000, 'a'), pattern + "b"));
}

}  // namespace
}  // namespace pbatch
