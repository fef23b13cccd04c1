// `pbatch bench --tune`, and who takes notice of it.
#include <sys/stat.h>

#include <cstdlib>

#include "tests/cli/program.h"

namespace pbatch::testing {
namespace {

class Tune : public Program {
 protected:
  void SetUp() override {
    Program::SetUp();
    const char* const value = std::getenv("PBATCH_KERNEL_COSTS");
    before_ = value == nullptr ? "" : value;
    unsetenv("PBATCH_KERNEL_COSTS");
    setenv("XDG_CACHE_HOME", path("cache").c_str(), 1);
  }
  void TearDown() override {
    setenv("PBATCH_KERNEL_COSTS", before_.c_str(), 1);
    unsetenv("XDG_CACHE_HOME");
    Program::TearDown();
  }
  std::string plan_costs(const std::string& model) {
    return run_json({"plan", model, "--bits", "4"})["kernel_costs"];
  }

 private:
  std::string before_;
};

TEST_F(Tune, LeavesATableThatSessionsUse) {
  const std::string model = write_model();
  EXPECT_NE(plan_costs(model).rfind("tuned", 0), 0U);
  const Outcome o = run({"bench", "--tune", "--seconds", "0", "--json", path("tune.json")});
  ASSERT_EQ(o.code, 0) << o.err;
  EXPECT_NE(o.out.find("before: built-in; now: " + path("cache/pbatch/kernel-costs-")),
            std::string::npos)
      << o.out;
  const nlohmann::json j = nlohmann::json::parse(read(path("tune.json")), nullptr, false);
  const std::string file = j["file"];
  EXPECT_EQ(file, path("cache/pbatch/kernel-costs-" + j["isa"].get<std::string>() + ".txt"));
  EXPECT_EQ(read(file).rfind("pbatch kernel costs, format 1\nbuild ", 0), 0U);
  EXPECT_EQ(j["before"], "built-in");
  ASSERT_FALSE(j["costs"].empty());
  for (const auto& cost : j["costs"]) {
    EXPECT_EQ(cost["ps_per_mac"].size(), 8U);
    EXPECT_NE(cost["kernel"], "reference");
  }
  EXPECT_GT(j["memory"][0]["gbps"], 0);
  EXPECT_EQ(j["memory"][0]["threads"], 1);
  const std::string tuned = "tuned on " + j["date"].get<std::string>();
  EXPECT_EQ(plan_costs(model), tuned);
  EXPECT_NE(run({"plan", model, "--bits", "4"}).out.find(tuned), std::string::npos);
  const nlohmann::json bench =
      run_json({"bench", "--gemv", "48x80", "--bits", "4", "--no-peers", "--seconds", "0"});
  EXPECT_EQ(bench["kernel_costs"], tuned);
  setenv("PBATCH_KERNEL_COSTS", "builtin", 1);
  EXPECT_EQ(plan_costs(model), "built-in");
  unsetenv("PBATCH_KERNEL_COSTS");
  // Damaged: one line that says where, and what to do.
  const std::string whole = read(file);
  write("damaged.txt", whole + "words_generic 16x4096 8 1 1 2 3\n");
  std::filesystem::rename(path("damaged.txt"), file);
  expect_failure(1, {"plan", model, "--bits", "4"}, "kernel-costs-");
  expect_failure(1, {"bench", "--gemv", "8x8"}, "bench --tune");
}

TEST_F(Tune, RefusesBeforeItMeasures) {
  expect_failure(2, {"bench"}, "--gemv");
  expect_failure(2, {"bench", "--tune", "--gemv", "64x64"}, "--gemv");
  expect_failure(2, {"bench", "--tune", "--threads", "2"}, "--threads");
  write("file", "not a folder");
  setenv("XDG_CACHE_HOME", path("file").c_str(), 1);
  expect_failure(1, {"bench", "--tune"}, "file/pbatch");
  setenv("PBATCH_KERNEL_COSTS", path("nosuch/costs.txt").c_str(), 1);
  expect_failure(1, {"bench", "--gemv", "8x8"}, "nosuch/costs.txt");
  setenv("PBATCH_KERNEL_COSTS", path("").c_str(), 1);
  expect_failure(1, {"bench", "--tune"}, path(""));
  unsetenv("PBATCH_KERNEL_COSTS");
  unsetenv("XDG_CACHE_HOME");
  const char* const home = std::getenv("HOME");
  const std::string old_home = home == nullptr ? "" : home;
  unsetenv("HOME");
  expect_failure(1, {"bench", "--tune"}, "HOME");
  if (home != nullptr) setenv("HOME", old_home.c_str(), 1);
}

}  // namespace
}  // namespace pbatch::testing
