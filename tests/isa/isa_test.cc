#include "isa/isa.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "pbatch/isa.h"

namespace pbatch {
namespace {

TEST(Isa, NamesRoundTrip) {
  for (const std::string& name : compiled_isas()) {
    const auto isa = isa_from_name(name);
    ASSERT_TRUE(isa.has_value()) << name;
    EXPECT_EQ(isa_name(*isa), name);
  }
  EXPECT_FALSE(isa_from_name("").has_value());
  EXPECT_FALSE(isa_from_name("AVX2").has_value());
}

TEST(Isa, GenericRunsEverywhere) {
  EXPECT_EQ(compiled_isas().front(), "generic");
  EXPECT_TRUE(isa_runs_here(Isa::generic));
}

TEST(Isa, BestIsTheLastThatRuns) {
  const Result<IsaChoice> best = resolve_isa(nullptr);
  ASSERT_TRUE(best.is_ok());
  EXPECT_TRUE(isa_runs_here(best->best));
  EXPECT_EQ(best->features, cpu_features());
  for (const std::string& name : compiled_isas()) {
    const Isa isa = *isa_from_name(name);
    EXPECT_FALSE(isa > best->best && isa_runs_here(isa)) << name;
  }
  const Result<IsaChoice> empty = resolve_isa("");
  ASSERT_TRUE(empty.is_ok());
  EXPECT_EQ(empty->best, best->best);
  EXPECT_EQ(empty->features, best->features);
}

TEST(Isa, ForcedIsTakenOrRefused) {
  for (const std::string& name : compiled_isas()) {
    const Isa isa = *isa_from_name(name);
    const Result<IsaChoice> forced = resolve_isa(name.c_str());
    ASSERT_EQ(forced.is_ok(), isa_runs_here(isa)) << name;
    if (forced.is_ok()) {
      EXPECT_EQ(forced->best, isa);
      EXPECT_EQ(forced->features, isa_features(isa));
    } else {
      EXPECT_EQ(forced.status().code(), ErrorCode::unsupported);
      EXPECT_NE(forced.status().to_line().find(name), std::string::npos);
    }
  }
}

TEST(Isa, UnknownNameIsAnErrorThatListsTheChoices) {
  const Result<IsaChoice> forced = resolve_isa("sse9");
  ASSERT_FALSE(forced.is_ok());
  EXPECT_EQ(forced.status().code(), ErrorCode::invalid_argument);
  EXPECT_NE(forced.status().message().find("sse9"), std::string::npos);
  EXPECT_NE(forced.status().remedy().find("generic"), std::string::npos);
}

// What the features say, by hand: no line from slow to fast.
TEST(Isa, IncludesThoseWhoseFeaturesItHas) {
  EXPECT_TRUE(IsaChoice(Isa::generic).runs(Isa::generic));
#if defined(__x86_64__)
  EXPECT_TRUE(IsaChoice(Isa::avx512).runs(Isa::avx2));
  EXPECT_FALSE(IsaChoice(Isa::avx512).runs(Isa::avxvnni));
  EXPECT_TRUE(IsaChoice(Isa::avxvnni).runs(Isa::avx2));
  EXPECT_FALSE(IsaChoice(Isa::avxvnni).runs(Isa::avx512));
  EXPECT_FALSE(IsaChoice(Isa::generic).runs(Isa::avx2));
  const FeatureSet both = isa_features(Isa::avx512) | isa_features(Isa::avxvnni);
  EXPECT_TRUE(IsaChoice(Isa::avx512, both).runs(Isa::avxvnni));
#elif defined(__aarch64__)
  EXPECT_TRUE(IsaChoice(Isa::neon_dot).runs(Isa::neon));
  EXPECT_FALSE(IsaChoice(Isa::neon).runs(Isa::neon_dot));
#endif
}

// The environment is read once a process, so each case has a process of its own.
TEST(IsaDeathTest, EnvironmentForces) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto exit_code_of = [](const char* value) {
    setenv("PBATCH_ISA", value, 1);
    const Result<std::string> isa = active_isa();
    std::exit(!isa.is_ok() ? 2 : *isa == "generic" ? 0 : 1);
  };
  EXPECT_EXIT(exit_code_of("generic"), ::testing::ExitedWithCode(0), "");
  EXPECT_EXIT(exit_code_of("pentium"), ::testing::ExitedWithCode(2), "");
}

#if defined(__linux__)
// The kernel's own list is an independent witness.
TEST(Isa, AgreesWithCpuinfo) {
#if defined(__aarch64__)
  const std::string title = "Features";
#else
  const std::string title = "flags";
#endif
  std::ifstream file("/proc/cpuinfo");
  std::set<std::string> flags;
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(title, 0) != 0) continue;
    std::istringstream words(line);
    for (std::string word; words >> word;) flags.insert(word);
  }
  if (flags.empty()) GTEST_SKIP() << "no " << title << " in /proc/cpuinfo";
  [[maybe_unused]] const auto has = [&](const char* name) { return flags.count(name) != 0; };
#if defined(__x86_64__)
  EXPECT_EQ(isa_runs_here(Isa::avx2), has("avx2"));
  EXPECT_EQ(isa_runs_here(Isa::avxvnni), has("avx2") && has("avx_vnni") && has("gfni"));
  const bool avx512 = has("avx512f") && has("avx512bw") && has("avx512dq") && has("avx512vl") &&
                      has("avx512vbmi") && has("avx512_vnni") && has("avx512_vpopcntdq") &&
                      has("gfni");
  EXPECT_EQ(isa_runs_here(Isa::avx512), avx512);
#elif defined(__aarch64__)
  EXPECT_EQ(isa_runs_here(Isa::neon), has("asimd"));
  EXPECT_EQ(isa_runs_here(Isa::neon_dot), has("asimddp"));
#endif
}
#endif

}  // namespace
}  // namespace pbatch
