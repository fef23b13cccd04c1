#include "pbatch/status.h"

#include <gtest/gtest.h>

namespace pbatch {
namespace {

TEST(Status, LineNamesFileNodeAndRemedy) {
  const Status s =
      Status(ErrorCode::malformed, "what is wrong", "what to do").at_node("n").in_file("f");
  EXPECT_EQ(s.to_line(), "f: node 'n': what is wrong; what to do");
}

TEST(Status, TheInnermostPlaceIsKept) {
  const Status s = Status(ErrorCode::io, "m").in_file("inner").in_file("outer");
  EXPECT_EQ(s.file(), "inner");
}

TEST(Status, NamesFromAFileCannotBreakTheLine) {
  const Status s = Status(ErrorCode::malformed, "bad").at_node("a\nb\x1b[31m");
  EXPECT_EQ(s.to_line(), "node 'a\\x0ab\\x1b[31m': bad");
}

Result<int> half_of(int n) {
  if (n % 2 != 0) return Status(ErrorCode::invalid_argument, "odd");
  return n / 2;
}

Result<int> quarter_of(int n) {
  PBATCH_ASSIGN_OR_RETURN(const int half, half_of(n));
  return half_of(half);
}

TEST(Result, PropagatesTheFirstError) {
  EXPECT_EQ(*quarter_of(12), 3);
  EXPECT_EQ(quarter_of(6).status().message(), "odd");
  EXPECT_TRUE(quarter_of(12).status().is_ok());
}

}  // namespace
}  // namespace pbatch
