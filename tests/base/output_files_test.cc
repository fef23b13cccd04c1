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

TEST_F(OutputFilesTest, AreNoneOfTheSources) {
  const std::vector<std::string> sources{write("a", "source"), path("absent")};
  std::filesystem::create_symlink("a", path("link"));
  std::filesystem::create_symlink("link", path("link2"));
  std::filesystem::create_hard_link(path("a"), path("hard"));
  write("b", "other");
  for (const char* name : {"a", "link", "link2", "hard", "./a"}) {
    const Status status = OutputFiles::check(path(name), sources);
    EXPECT_EQ(status.code(), ErrorCode::invalid_argument) << name;
    EXPECT_NE(status.message().find(path("a")), std::string::npos) << status.to_line();
  }
  for (const char* name : {"b", "absent", "new"}) {
    EXPECT_TRUE(OutputFiles::check(path(name), sources)) << name;
  }
  EXPECT_TRUE(OutputFiles::check("/dev/null", std::vector<std::string>{"/dev/null"}));
}

TEST_F(OutputFilesTest, AreDifferentFiles) {
  write("a", "old");
  std::filesystem::create_symlink("a", path("link"));
  std::filesystem::create_symlink(folder_, path("folder"));
  const auto check = [](const std::vector<std::string>& paths) {
    return OutputFiles::check_all(paths).code();
  };
  EXPECT_EQ(check({path("a"), path("link")}), ErrorCode::invalid_argument);
  EXPECT_EQ(check({path("new"), path("folder/new")}), ErrorCode::invalid_argument);
  EXPECT_EQ(check({path("a"), path("b")}), ErrorCode::ok);
  EXPECT_EQ(check({"/dev/null", "/dev/null"}), ErrorCode::ok);
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
