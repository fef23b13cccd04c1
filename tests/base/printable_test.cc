#include "base/printable.h"

#include <gtest/gtest.h>

namespace pbatch {
namespace {

TEST(Printable, KeepsTerminalsSafe) {
  EXPECT_EQ(printable("a\033[2Jb\n"), "a\\x1b[2Jb\\x0a");
  EXPECT_EQ(printable("\x7f caf\xc3\xa9"), "\\x7f caf\xc3\xa9");
}

}  // namespace
}  // namespace pbatch
