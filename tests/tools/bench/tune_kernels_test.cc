// What tuning leaves, without a look at the numbers: no test asserts a time.
#include "tools/bench/tune_kernels.h"

#include <gtest/gtest.h>

#include "cost/choose_kernel.h"
#include "cost/costs_text.h"
#include "isa/cpu.h"
#include "tools/bench/read_bandwidth.h"

namespace pbatch {
namespace {

TEST(TuneKernels, MeasuresEveryPrecision) {
  const Result<IsaChoice> isa = select_isa();
  ASSERT_TRUE(isa);
  TuneOptions options;
  options.seconds = 0;
  options.matrices = {0};
  options.bandwidth_bytes = 1 << 20;
  Progress progress;
  const Result<KernelCosts> costs = tune_kernels(*isa, options, "a day", progress);
  ASSERT_TRUE(costs) << costs.status().to_line();
  EXPECT_EQ(costs->header.build, build_identity());
  EXPECT_EQ(costs->header.isa, isa_name(isa->best));
  EXPECT_EQ(costs->header.cpu, cpu_identity());
  EXPECT_EQ(costs->header.date, "a day");
  EXPECT_EQ(costs->memory[0].threads, 1);
  for (const MemoryCost& m : costs->memory) EXPECT_GT(m.ps_per_byte, 0);
  for (std::size_t a = 0; a < kCostActivationBits.size(); ++a) {
    for (std::size_t w = 0; w < kCostWidths; ++w) {
      for (const std::size_t b : {0, 2, 4}) {
        int measured = 0;
        for (const BitKernel& kernel : all_kernels()) {
          const double cost = costs->at(kernel, {0, a, b})[w];
          if (cost <= 0) continue;
          ++measured;
          EXPECT_STRNE(kernel.name, "reference");
          EXPECT_TRUE(isa->runs(kernel.isa)) << kernel.name;
        }
        EXPECT_GT(measured, 0) << "bits " << w + 1 << " batch " << kCostBatches[b];
      }
    }
  }
  const Result<KernelCosts> read = parse_costs(print_costs(*costs));
  EXPECT_TRUE(read) << read.status().to_line();
}

#if defined(__x86_64__)
TEST(TuneKernels, NamesWhatChanges) {
  const std::string head = "pbatch kernel costs, format 1\nisa avx512\n";
  const std::string words = "words_avx2 1024x1024 8 1 1 1 1 1 1 1 1 1\n";
  const Result<KernelCosts> before = parse_costs(head + words);
  const Result<KernelCosts> after =
      parse_costs(head + words + "bytes_avx512 1024x1024 8 1 .5 .5 .25 2 2 2 2 .5\n");
  ASSERT_TRUE(before && after);
  EXPECT_TRUE(changed_choices(Isa::avx512, *before, *before).empty());
  const std::vector<ChangedChoice> changes = changed_choices(Isa::avx512, *before, *after);
  ASSERT_FALSE(changes.empty());
  const ChangedChoice& first = changes[0];
  EXPECT_EQ(first.before, "words_avx2");
  EXPECT_EQ(first.after, "bytes_avx512");
  EXPECT_EQ(first.shape.weight_bits, 1);
  EXPECT_EQ(first.last_bits, 3);
  EXPECT_DOUBLE_EQ(first.gain, 2);  // the least of 2, 2 and 4
  EXPECT_EQ(changes[1].shape.weight_bits, 8);
  EXPECT_EQ(changes[1].last_bits, 11);  // 8 and 1 to 3
}
#endif

TEST(ReadBandwidth, IsPositiveWithAnyThreads) {
  for (const int threads : {1, 3}) {
    const Result<double> ps = read_ps_per_byte(threads, 2, 3 << 20);
    ASSERT_TRUE(ps) << ps.status().to_line();
    EXPECT_GT(*ps, 0);
  }
}

}  // namespace
}  // namespace pbatch
