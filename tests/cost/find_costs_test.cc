#include "cost/find_costs.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <thread>

#include "cost/builtin_costs.h"
#include "cost/costs_text.h"
#include "cost/measure_speeds.h"
#include "isa/cpu.h"
#include "tests/support/scratch.h"

namespace pbatch::testing {
namespace {

class FindCosts : public Scratch {
 protected:
  void SetUp() override {
    for (const char* name : {"PBATCH_KERNEL_COSTS", "XDG_CACHE_HOME", "HOME"}) {
      const char* const value = std::getenv(name);
      before_.emplace_back(name,
                           value == nullptr ? std::nullopt : std::optional(std::string(value)));
      unsetenv(name);
    }
    setenv("XDG_CACHE_HOME", path("cache").c_str(), 1);
  }
  void TearDown() override {
    for (const auto& [name, value] : before_) {
      value ? setenv(name.c_str(), value->c_str(), 1) : unsetenv(name.c_str());
    }
  }

  // An adapted table as this program would leave it here, told by its date.
  static KernelCosts table() {
    KernelCosts costs = *builtin_costs(Isa::generic);
    costs.header = {build_identity(), "generic", cpu_identity(), "another day"};
    return costs;
  }

 private:
  std::vector<std::pair<std::string, std::optional<std::string>>> before_;
};

TEST_F(FindCosts, TakesWhatAnEarlierProcessLeft) {
  EXPECT_FALSE(load_adapted_costs(Isa::generic));
  store_adapted_costs(Isa::generic, table());
  const std::optional<CostSource> found = load_adapted_costs(Isa::generic);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->origin, "adapted on another day");
  EXPECT_EQ(print_costs(*found->costs), print_costs(table()));
  EXPECT_EQ(std::filesystem::status(path("cache/pbatch")).permissions(),
            std::filesystem::perms::owner_all);
}

TEST_F(FindCosts, WhatAnotherLeftOrIsDamagedIsMeasuredAnew) {
  for (const int which : {0, 1, 2}) {
    KernelCosts costs = table();
    if (which == 0) costs.header.build = "another";
    if (which == 1) costs.header.cpu = "another";
    if (which == 2) costs.header.isa = "avx2";
    store_adapted_costs(Isa::generic, costs);
    EXPECT_FALSE(load_adapted_costs(Isa::generic)) << which;
  }
  write("cache/pbatch/adapted-costs-generic.txt", "pbatch kernel costs, format 1\nrubbish\n");
  EXPECT_FALSE(load_adapted_costs(Isa::generic));
}

TEST_F(FindCosts, AFolderThatCannotBeWrittenChangesNothing) {
  write("file", "");
  setenv("XDG_CACHE_HOME", path("file").c_str(), 1);
  store_adapted_costs(Isa::generic, table());
  EXPECT_FALSE(load_adapted_costs(Isa::generic));
  unsetenv("XDG_CACHE_HOME");
  store_adapted_costs(Isa::generic, table());
  EXPECT_FALSE(load_adapted_costs(Isa::generic));
  EXPECT_TRUE(find_kernel_costs(IsaChoice(Isa::generic), ""));
}

TEST_F(FindCosts, MeasuresOnceAProcess) {
  const IsaChoice isa(Isa::generic);
  std::optional<CostSource> there, here;
  std::thread other([&] { there = *find_kernel_costs(isa, ""); });
  here = *find_kernel_costs(isa, "");
  other.join();
  const CostSource again = *find_kernel_costs(isa, "");
  EXPECT_TRUE(again.costs == here->costs || again.costs == there->costs);
  // Measured, or told why not.
  EXPECT_TRUE(again.origin.rfind("adapted on ", 0) == 0 || again.origin.rfind("built-in (", 0) == 0)
      << again.origin;
}

TEST_F(FindCosts, BuiltInIsBuiltInWhereThatIsAskedFor) {
  const IsaChoice isa(Isa::generic);
  EXPECT_EQ(find_kernel_costs(isa, "builtin")->origin, "built-in");
  setenv("PBATCH_KERNEL_COSTS", "builtin", 1);
  EXPECT_EQ(find_kernel_costs(isa, "")->origin, "built-in");
}

TEST(MachineSpeeds, EveryCostIsMultiplied) {
  const KernelCosts costs = *builtin_costs(Isa::generic);
  MachineSpeeds speeds;
  for (std::size_t i = 0; i < all_kernels().size(); ++i) speeds.kernels.push_back(1.0 + double(i));
  speeds.memory = 3;
  const KernelCosts scaled = scale_costs(costs, speeds);
  for (std::size_t k = 0; k < all_kernels().size(); ++k) {
    const BitKernel& kernel = all_kernels()[k];
    EXPECT_EQ(scaled.knows(kernel), costs.knows(kernel));
    for (std::size_t m = 0; m < kCostMatrices.size(); ++m) {
      for (std::size_t width = 0; width < kCostWidths; ++width) {
        EXPECT_DOUBLE_EQ(scaled.at(kernel, {m, 1, 0})[width],
                         costs.at(kernel, {m, 1, 0})[width] * speeds.kernels[k]);
      }
    }
  }
  ASSERT_EQ(scaled.memory.size(), costs.memory.size());
  for (std::size_t i = 0; i < costs.memory.size(); ++i) {
    EXPECT_DOUBLE_EQ(scaled.memory[i].ps_per_byte, 3 * costs.memory[i].ps_per_byte);
  }
}

// A busy machine may have none.
TEST(MachineSpeeds, AreFiniteForAllKernels) {
  for (const Isa best : {Isa::generic, select_isa()->best}) {
    const std::optional<MachineSpeeds> speeds =
        measure_speeds(*builtin_costs(best), IsaChoice(best));
    if (!speeds) continue;
    ASSERT_EQ(speeds->kernels.size(), all_kernels().size());
    for (const double speed : speeds->kernels) EXPECT_TRUE(std::isfinite(speed) && speed > 0);
    EXPECT_TRUE(std::isfinite(speeds->memory) && speeds->memory > 0);
  }
}

TEST(MachineSpeeds, NothingIsKnownOfAnEmptyTable) {
  EXPECT_FALSE(measure_speeds(KernelCosts{}, IsaChoice(Isa::generic)));
}

}  // namespace
}  // namespace pbatch::testing
