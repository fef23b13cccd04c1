#include "base/output_files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/support/scratch.h"

namespace pbatch {
namespace {

class OutputFilesTest : public testing::Scratch {};

TEST_F(OutputFilesTest, AppearOnlyAtCommit) {
  OutputFiles out;
  ASSERT_TRUE(out.stage(path("a"), "one"));
  ASSERT_TRUE(out.stage(path("b"), "two"));
  EXPECT_FALSE(std::filesystem::exists(path("a")));
  ASSERT_TRUE(out.commit());
  EXPECT_EQ(read(path("a")), "one");
  EXPECT_EQ(read(path("b")), "two");
  EXPECT_EQ(file_count(), 2U);
}

TEST_F(OutputFilesTest, LeaveNothingWhenDropped) {
  write("a", "old");
  {
    OutputFiles out;
    ASSERT_TRUE(out.stage(path("a"), "new"));
    EXPECT_FALSE(out.stage(path("no/such/folder/b"), "two"));
  }
  EXPECT_EQ(read(path("a")), "old");
  EXPECT_EQ(file_count(), 1U);
}

TEST_F(OutputFilesTest, KeepModeAndLinks) {
  write("real", "old");
  chmod(path("real").c_str(), 0640);
  std::filesystem::create_symlink("real", path("link"));
  OutputFiles out;
  ASSERT_TRUE(out.stage(path("link"), "new"));
  ASSERT_TRUE(out.commit());
  EXPECT_TRUE(std::filesystem::is_symlink(path("link")));
  EXPECT_EQ(read(path("real")), "new");
  struct stat info {};
  stat(path("real").c_str(), &info);
  EXPECT_EQ(info.st_mode & 0777, 0640U);
}

TEST_F(OutputFilesTest, SayWhatIsWrong) {
  EXPECT_TRUE(OutputFiles::check(path("new")));
  const Status folder = OutputFiles::check(folder_.string());
  EXPECT_EQ(folder.code(), ErrorCode::io);
  EXPECT_EQ(folder.file(), folder_.string());
  EXPECT_FALSE(OutputFiles::check(path("absent/new")));
  EXPECT_TRUE(OutputFiles::check("/dev/null"));
  OutputFiles out;
  ASSERT_TRUE(out.stage("/dev/full", "x"));
  EXPECT_EQ(out.commit().code(), ErrorCode::io);
}

}  // namespace
}  // namespace pbatch
