#include "cost/stored_costs.h"

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <optional>

#include "cost/costs_text.h"
#include "isa/cpu.h"
#include "tests/support/scratch.h"

namespace pbatch::testing {
namespace {

const BitKernel& some_kernel() { return *find_kernel("words_generic"); }

class StoredCosts : public Scratch {
 protected:
  void SetUp() override {
    for (const char* name : {"PBATCH_KERNEL_COSTS", "XDG_CACHE_HOME", "HOME"}) {
      const char* const value = std::getenv(name);
      before_.emplace_back(name,
                           value == nullptr ? std::nullopt : std::optional(std::string(value)));
      unsetenv(name);
    }
    set("XDG_CACHE_HOME", path("cache"));
  }
  void TearDown() override {
    for (const auto& [name, value] : before_) set(name.c_str(), value.value_or(""));
  }
  static void set(const char* name, const std::string& value) {
    value.empty() ? unsetenv(name) : setenv(name, value.c_str(), 1);
  }

  // A table as this program would leave it here.
  static KernelCosts table() {
    KernelCosts costs;
    costs.header = {build_identity(), "generic", cpu_identity(), "2026-11-24"};
    costs.set(some_kernel(), {}, {7, 7, 7, 7, 7, 7, 7, 7});
    return costs;
  }
  std::string store(const KernelCosts& costs) const {
    const std::string file = *tuned_costs_path(Isa::generic);
    EXPECT_TRUE(prepare_tuned_costs(file));
    const Status s = store_kernel_costs(file, costs);
    EXPECT_TRUE(s) << s.to_line();
    return file;
  }
  static std::string origin(const std::string& choice = {}) {
    const Result<CostSource> source = load_kernel_costs(Isa::generic, choice);
    return source ? source->origin : source.status().to_line();
  }

 private:
  std::vector<std::pair<std::string, std::optional<std::string>>> before_;
};

TEST_F(StoredCosts, WhatTuningLeavesIsUsed) {
  EXPECT_EQ(origin(), "built-in");
  const std::string file = store(table());
  EXPECT_EQ(file, path("cache/pbatch/kernel-costs-generic.txt"));
  struct stat info {};
  ASSERT_EQ(stat(path("cache/pbatch").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700U);
  EXPECT_EQ(origin(), "tuned on 2026-11-24");
  EXPECT_EQ(load_kernel_costs(Isa::generic, "")->costs->at(some_kernel(), {})[0], 7);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(path("cache/pbatch")), {}), 1);
  EXPECT_EQ(origin("builtin"), "built-in");
  set("PBATCH_KERNEL_COSTS", "builtin");
  EXPECT_EQ(origin(), "built-in");
  EXPECT_EQ(origin(file), "tuned on 2026-11-24");
}

TEST_F(StoredCosts, AnothersTableIsLeftAlone) {
  KernelCosts costs = table();
  costs.header.cpu += " II";
  const std::string file = store(costs);
  EXPECT_EQ(origin(), "built-in (the tuned table is of another processor)");
  EXPECT_EQ(origin(file), "tuned on 2026-11-24");  // unless it is asked for
  set("PBATCH_KERNEL_COSTS", file);
  EXPECT_EQ(origin(), "tuned on 2026-11-24");
  set("PBATCH_KERNEL_COSTS", "");
  costs = table();
  costs.header.build = "0.0.1 other";
  store(costs);
  EXPECT_EQ(origin(), "built-in (the tuned table is of another build of pbatch)");
  write("cache/pbatch/kernel-costs-generic.txt", "pbatch kernel costs, format 7\nwho knows\n");
  EXPECT_EQ(origin(), "built-in (the tuned table is of another build of pbatch)");
}

TEST_F(StoredCosts, ADamagedTableIsAnError) {
  const std::string file = store(table());
  write("cache/pbatch/kernel-costs-generic.txt", read(file) + "words_generic 1\n");
  const Result<CostSource> source = load_kernel_costs(Isa::generic, "");
  ASSERT_FALSE(source);
  EXPECT_EQ(source.status().code(), ErrorCode::malformed);
  EXPECT_EQ(source.status().file(), file);
  EXPECT_NE(origin().find("line 7: "), std::string::npos) << origin();
  EXPECT_NE(origin().find("delete"), std::string::npos) << origin();
  EXPECT_EQ(origin("builtin"), "built-in");
  KernelCosts costs = table();
  costs.header.isa = "avx9";
  store(costs);
  EXPECT_NE(origin().find("avx9"), std::string::npos) << origin();
  write("cache/pbatch/kernel-costs-generic.txt", std::string(3 << 20, 'x'));
  EXPECT_NE(origin().find("longer"), std::string::npos) << origin();
}

TEST_F(StoredCosts, FilesThatAreNone) {
  for (const std::string& name : {path("nosuch"), path("")}) {
    const Result<CostSource> source = load_kernel_costs(Isa::generic, name);
    ASSERT_FALSE(source) << name;
    EXPECT_EQ(source.status().code(), ErrorCode::io) << origin(name);
    EXPECT_EQ(source.status().file(), name);
  }
  // A folder where the table should be: as if there were none.
  std::filesystem::create_directories(path("cache/pbatch/kernel-costs-generic.txt"));
  EXPECT_EQ(origin(), "built-in");
  EXPECT_EQ(prepare_tuned_costs(*tuned_costs_path(Isa::generic)).code(), ErrorCode::io);
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);
  EXPECT_NE(origin(path("pipe")), "built-in");  // does not wait for a writer
}

TEST_F(StoredCosts, TheCacheFolder) {
  const auto file = [] { return *tuned_costs_path(Isa::generic); };
  set("HOME", path("home"));
  EXPECT_EQ(file(), path("cache/pbatch/kernel-costs-generic.txt"));
  set("XDG_CACHE_HOME", "relative");  // counts as unset, so its specification says
  EXPECT_EQ(file(), path("home/.cache/pbatch/kernel-costs-generic.txt"));
  set("HOME", "");
  EXPECT_EQ(tuned_costs_path(Isa::generic).status().code(), ErrorCode::not_found);
  EXPECT_EQ(origin(), "built-in");
  set("PBATCH_KERNEL_COSTS", "mine.txt");
  EXPECT_EQ(file(), "mine.txt");
  EXPECT_TRUE(prepare_tuned_costs(file()));
  write("blocked", "a file, not a folder");
  EXPECT_EQ(prepare_tuned_costs(path("blocked/pbatch/x.txt")).code(), ErrorCode::io);
}

}  // namespace
}  // namespace pbatch::testing
