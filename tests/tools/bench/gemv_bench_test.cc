#include "tools/bench/gemv_bench.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "isa/isa.h"
#include "kernel/registry.h"

namespace pbatch {
namespace {

GemvBenchOptions small_options() {
  GemvBenchOptions options;
  options.shapes = {{64, 96}};
  options.weight_bits = {1, 4};
  options.activation_bits = {8, 16};
  options.batches = {1};
  options.threads = {1};
  options.peers = false;
  options.timing.seconds = 0;
  return options;
}

std::vector<GemvCeiling> reads_of(const GemvBenchResult& result) {
  std::vector<GemvCeiling> reads;
  std::copy_if(result.ceilings.begin(), result.ceilings.end(), std::back_inserter(reads),
               [](const GemvCeiling& c) { return c.kind == "read"; });
  return reads;
}

TEST(GemvBench, HotProductsStandBesideReadsOfTheSameSize) {
  GemvBenchOptions options = small_options();
  options.batches = {2, 3};
  Progress progress;
  const Result<GemvBenchResult> result = gemv_bench(options, progress);
  ASSERT_TRUE(result) << result.status().message();
  EXPECT_EQ(result->rows.size(), 2U * 4);
  // 64 x 96: planes of 4 x 3 blocks; the read is of whole lines.
  std::set<std::int64_t> sizes;
  for (const GemvCeiling& c : reads_of(*result)) {
    sizes.insert(c.bytes);
    EXPECT_FALSE(c.cold);
    EXPECT_DOUBLE_EQ(c.gbps, static_cast<double>(c.bytes) / c.median_us / 1e3);
  }
  EXPECT_EQ(reads_of(*result).size(), 2U) << "once per width";
  ASSERT_EQ(sizes.size(), 2U);
  EXPECT_EQ(*sizes.rbegin() - *sizes.begin(), 3 * 4 * 3 * 64) << "three planes more";
  for (const GemvBenchRow& row : result->rows) {
    ASSERT_TRUE(row.share_of_read.has_value());
    const auto reads = reads_of(*result);
    EXPECT_TRUE(std::any_of(reads.begin(), reads.end(), [&](const GemvCeiling& c) {
      return c.threads == row.threads && *row.share_of_read == row.gbps / c.gbps;
    }));
  }
}

TEST(GemvBench, ColdProductsAreComparedWithMemory) {
  GemvBenchOptions options = small_options();
  options.shapes = {{2048, 2048}};
  options.weight_bits = {8};
  options.activation_bits = {8};
  options.cold = true;
  Progress progress;
  const Result<GemvBenchResult> result = gemv_bench(options, progress);
  ASSERT_TRUE(result) << result.status().message();
  ASSERT_EQ(reads_of(*result).size(), 1U);
  const GemvCeiling read = reads_of(*result)[0];
  EXPECT_TRUE(read.cold);
  EXPECT_EQ(read.bytes, 20'000'000);
  ASSERT_EQ(result->rows.size(), 1U);
  EXPECT_DOUBLE_EQ(*result->rows[0].share_of_read, result->rows[0].gbps / read.gbps);
}

// What a product of a copy gives is checked as everything is.
TEST(GemvBench, ColdCopiesAreRightInEveryLayout) {
  GemvBenchOptions options = small_options();
  options.shapes = {{512, 512}};
  options.weight_bits = {3, 12};
  options.activation_bits = {8};
  options.cold = true;
  std::set<PlaneLayout> layouts;
  for (const BitKernel& kernel : all_kernels().subspan(1)) {
    if (isa_runs_here(kernel.isa) && layouts.insert(kernel.layout).second) {
      options.kernels.emplace_back(kernel.name);
    }
  }
  Progress progress;
  const Result<GemvBenchResult> result = gemv_bench(options, progress);
  ASSERT_TRUE(result) << result.status().message();
  EXPECT_EQ(result->rows.size(), 2 * options.kernels.size());
}

TEST(GemvBench, LibrariesHaveNoHotShareAndMultipliersAreOfTheIsa) {
  GemvBenchOptions options = small_options();
  options.peers = true;
  Progress progress;
  const Result<GemvBenchResult> result = gemv_bench(options, progress);
  ASSERT_TRUE(result) << result.status().message();
  for (const GemvBenchRow& row : result->rows) {
    const bool library = row.kernel.find("_f32") != std::string::npos ||
                         row.kernel.find("_int8") != std::string::npos;
    EXPECT_EQ(row.share_of_read.has_value(), !library) << row.kernel;
  }
  const auto multiplies = [](const GemvCeiling& c) { return c.kind == "VPDPBUSD"; };
  EXPECT_EQ(std::count_if(result->ceilings.begin(), result->ceilings.end(), multiplies),
            isa_name(select_isa()->best) == std::string("avx512") ? 1 : 0);
}

}  // namespace
}  // namespace pbatch
