#include "cost/choose_kernel.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "cost/builtin_costs.h"
#include "cost/costs_text.h"
#include "cost/product_time.h"
#include "isa/cpu.h"

namespace pbatch {
namespace {

constexpr std::int64_t kNetwork = 300'000'000;  // bytes of a plane: from memory, then

#if defined(__x86_64__)

// Made-up costs, with which every choice can be told by hand. `fields` is twice as fast as `bytes`
// but takes 8 row blocks where there is one; `words` needs 8 vectors.
constexpr const char* kTable = R"(pbatch kernel costs, format 1
isa avx512
memory 1 40
memory 4 20
bytes_avx512  16x4096   8 1  10 10 10 10 10 10 10 10
bytes_avx512  128x4096  8 1  10 10 10 10 10 10 10 10
bytes_avx512  1024x1024 8 1  10 10 10 10 10 10 10 10
bytes_avx512  4096x4096 8 1  12 12 12 12 12 12 12 12
fields_avx512 16x4096   8 1  40 40 40 40 40 40 40 40
fields_avx512 128x4096  8 1   5  5  5  5  5  5  5  5
fields_avx512 1024x1024 8 1   5  5  5  5  5  5  5  5
fields_avx512 4096x4096 8 1   7  7  7  7  7  7  7 13
words_avx2    1024x1024 8 8   4  4  4  4  4  4  4  4
words_avx2    1024x1024 8 64  2  2  2  2  2  2  2  2
words_avx2    1024x1024 16 1  9  9  9  9  9  9  9  -
bytes_avx512  1024x1024 16 1  8  -  9  9  9  9  9  -
fields_avx512 1024x1024 16 1  8  -  9  8.8 8.7  9  9  -
)";

struct Case {
  const char* expected;
  GemmShape shape;  // rows, cols, batch, weight bits, activation bits, threads, plane bytes in turn
  Isa isa = Isa::avx512;
};

const Case kCases[] = {
    {"fields_avx512", {1024, 1024, 1, 4, 8}},
    {"fields_avx512", {4096, 4096, 1, 3, 8}},
    // On the large matrix, whose costs decide where weights exceed L2: 13 against 12.
    {"bytes_avx512", {4096, 4096, 1, 8, 8}},
    {"fields_avx512", {1024, 1024, 1, 8, 8}},
    {"bytes_avx512", {1024, 1024, 1, 8, 8, 1, 2 << 20}},
    // Four threads have four L2 caches.
    {"fields_avx512", {1024, 1024, 1, 8, 8, 4, 4 << 17}},
    // Few row blocks: 4 of them are 4/8 of the time of 8, but for `fields` about that of 1 or 8.
    {"bytes_avx512", {10, 4096, 1, 1, 8}},
    {"bytes_avx512", {64, 4096, 1, 1, 8}},
    {"fields_avx512", {96, 4096, 1, 1, 8}},
    {"fields_avx512", {128, 4096, 1, 1, 8}},
    {"bytes_avx512", {1024, 1024, 1, 4, 8, 64}},  // a row block for each thread
    // From memory: at 1 bit computing takes longer than reading; at 3 bits the copy is read as 4;
    // at 4 bits both wait for the same bytes, and the copy does not save enough.
    {"fields_avx512", {4096, 4096, 1, 1, 8, 1, kNetwork}},
    {"bytes_avx512", {4096, 4096, 1, 3, 8, 1, kNetwork}},
    {"bytes_avx512", {4096, 4096, 1, 4, 8, 1, kNetwork}},
    {"fields_avx512", {4096, 4096, 1, 4, 8}},
    // From memory with four threads: each computes a quarter, all read no faster than 20 ps a byte.
    {"bytes_avx512", {4096, 4096, 1, 3, 8, 4, kNetwork}},
    // Batches: `words` takes as long for 1 to 8 vectors; 5 x 6.2 = 31 against 4 x 8 = 32.
    {"fields_avx512", {1024, 1024, 4, 4, 8}},
    {"fields_avx512", {1024, 1024, 6, 4, 8}},
    {"words_avx2", {1024, 1024, 7, 4, 8}},
    {"words_avx2", {1024, 1024, 300, 4, 8}},
    // More than 8 bits: 8 and the rest.
    {"fields_avx512", {1024, 1024, 1, 12, 8}},
    {"bytes_avx512", {4096, 4096, 1, 16, 8}},
    // Equal, or saving less than 3 %: without a copy.
    {"bytes_avx512", {1024, 1024, 1, 1, 16}},
    {"words_avx2", {1024, 1024, 1, 2, 16}},
    {"bytes_avx512", {1024, 1024, 1, 3, 16}},
    {"bytes_avx512", {1024, 1024, 1, 4, 16}},
    {"fields_avx512", {1024, 1024, 1, 5, 16}},
    // No cost known: the last of the ISA's kernels.
    {"fields_avx512", {1024, 1024, 1, 8, 16}},
    // A lower ISA.
    {"words_avx2", {1024, 1024, 1, 4, 8}, Isa::avx2},
    {"words_generic", {1024, 1024, 1, 4, 8}, Isa::generic},
};

TEST(ChooseKernel, NamesTheKernelOfEachShape) {
  const Result<KernelCosts> costs = parse_costs(kTable);
  ASSERT_TRUE(costs) << costs.status().to_line();
  for (const Case& c : kCases) {
    const GemmShape& s = c.shape;
    EXPECT_STREQ(choose_kernel(s, c.isa, *costs).name, c.expected)
        << s.rows << "x" << s.cols << " batch " << s.batch << " bits " << s.weight_bits << ","
        << s.activation_bits << " threads " << s.threads << " planes in turn "
        << s.network_plane_bytes << " " << isa_name(c.isa);
  }
}

TEST(ChooseKernel, TimesFollowTheTable) {
  const Result<KernelCosts> costs = parse_costs(kTable);
  ASSERT_TRUE(costs);
  const auto us = [&](const char* kernel, const GemmShape& shape) {
    return product_ps(*costs, *find_kernel(kernel), shape) / 1e6;
  };
  const double mega = 1024 * 1024 / 1e6;
  EXPECT_DOUBLE_EQ(us("bytes_avx512", {1024, 1024, 1, 4, 8}), 10 * mega);
  EXPECT_DOUBLE_EQ(us("bytes_avx512", {1024, 1024, 10, 4, 8}), 100 * mega);
  EXPECT_DOUBLE_EQ(us("bytes_avx512", {1024, 512, 1, 4, 8}), 5 * mega);
  EXPECT_DOUBLE_EQ(us("bytes_avx512", {1024, 512, 1, 9, 8}), 10 * mega);
  // Half the rows for each of two threads, and 2048 bytes of packed digits to fetch.
  EXPECT_DOUBLE_EQ(us("bytes_avx512", {1024, 1024, 1, 4, 8, 2}), 5 * mega + 2048 * 120 / 1e6);
  EXPECT_DOUBLE_EQ(us("bytes_avx512", {4096, 4096, 1, 4, 8}), 16 * 12 * mega);
  // Between 8 vectors (32 ps a weight) and 64 (128 ps); more than 64 in proportion; fewer than 8
  // as 8.
  EXPECT_DOUBLE_EQ(us("words_avx2", {1024, 1024, 36, 4, 8}), 80 * mega);
  EXPECT_DOUBLE_EQ(us("words_avx2", {1024, 1024, 128, 4, 8}), 256 * mega);
  EXPECT_DOUBLE_EQ(us("words_avx2", {1024, 1024, 1, 4, 8}), 32 * mega);
  // Between one row block and eight.
  EXPECT_DOUBLE_EQ(us("fields_avx512", {64, 1000, 1, 4, 8}), 0.64);
  // From memory at 4 bits: 8 MiB at 40 ps a byte, and 5 % of what computing takes.
  EXPECT_DOUBLE_EQ(us("bytes_avx512", {4096, 4096, 1, 4, 8, 1, kNetwork}),
                   8 * 40 * mega + 0.05 * 16 * 12 * mega);
  EXPECT_TRUE(std::isinf(us("bytes_avx512", {1024, 1024, 1, 2, 16})));
  EXPECT_TRUE(std::isinf(us("popcnt_avx512", {1024, 1024, 1, 2, 8})));
}

#endif

// What the built-in tables choose: one line a shape, a name for each of 1 to 8 weight bits or one
// for all. Change it with the tables.
struct BuiltinCase {
  Isa isa;
  GemmShape shape;
  const char* expected[kCostWidths];
};

#if defined(__x86_64__)
constexpr const char *kB = "bytes_avx512", *kF = "fields_avx512", *kG = "gemm_avx512";
constexpr const char *kL2 = "lut_avx2", *kF2 = "fields_avx2";
constexpr const char *kBV = "bytes_avxvnni", *kFV = "fields_avxvnni";
#endif

const BuiltinCase kBuiltinCases[] = {
    {Isa::generic, {1024, 1024, 1, 0, 8}, {"words_generic"}},
#if defined(__x86_64__)
    {Isa::avx2, {1024, 1024, 1, 0, 8}, {kL2, kF2, kF2, kF2, kF2, kF2, kF2, kF2}},
    {Isa::avx2, {1024, 1024, 1, 0, 16}, {kL2, kF2, kF2, kF2, kF2, kF2, kF2, kF2}},
    {Isa::avx2, {4096, 4096, 1, 0, 8, 1, kNetwork}, {kL2, kF2, kL2, kF2, kL2, kL2, kL2, kF2}},
    {Isa::avx2, {10, 4096, 1, 0, 8}, {kF2}},
    {Isa::avxvnni, {1024, 1024, 1, 0, 8}, {kFV}},
    {Isa::avxvnni, {4096, 4096, 1, 0, 8, 1, kNetwork}, {kFV, kFV, kBV, kBV, kBV, kBV, kBV, kBV}},
    {Isa::avx512, {1024, 1024, 1, 0, 8}, {"lut_avx512", kF, kF, kF, kF, kF, kF, kF}},
    {Isa::avx512, {1024, 1024, 1, 0, 16}, {"lut_avx512", kF, kF, kF, kF, kF, kF, kF}},
    {Isa::avx512, {1024, 1024, 1, 0, 8, 2}, {kF}},
    {Isa::avx512, {1024, 1024, 64, 0, 8}, {kG, kG, kG, kG, kG, kG, kF, kF}},
    {Isa::avx512, {4096, 4096, 16, 0, 16}, {kG, kG, kF, kF, kF, kF, kF, kF}},
    {Isa::avx512, {4096, 4096, 1, 0, 8, 1, kNetwork}, {"lut_avx512", kB, kB, kB, kB, kB, kB, kB}},
    {Isa::avx512, {4096, 4096, 1, 0, 8, 2, kNetwork}, {"lut_avx512", kB, kB, kB, kB, kB, kB, kB}},
    {Isa::avx512, {4096, 4096, 1, 0, 8}, {"lut_avx512", kF, kB, kB, kB, kB, kB, kB}},
    {Isa::avx512, {10, 4096, 1, 0, 8}, {kF}},
#endif
};

#if defined(__x86_64__)
// Zen 4 has no use for planes that are unpacked on the way where fields of whole weights lie in its
// third-level cache.
TEST(ChooseKernel, TablesOfAMakerDiffer) {
  for (const Isa isa : {Isa::avx2, Isa::avx512}) {
    const Result<KernelCosts> costs = parse_costs(builtin_costs_text(isa, "amd"));
    ASSERT_TRUE(costs) << costs.status().to_line();
    EXPECT_EQ(costs->header.isa, isa_name(isa));
    GemmShape shape{4096, 4096, 1, 4, 8};
    EXPECT_STREQ(choose_kernel(shape, isa, *costs).name,
                 isa == Isa::avx2 ? "fields_avx2" : "fields_avx512");
    shape = {1024, 1024, 64, 8, 16};
    EXPECT_STREQ(choose_kernel(shape, isa, *costs).name,
                 isa == Isa::avx2 ? "gemm_words_avx2" : "gemm_avx512");
  }
  EXPECT_TRUE(builtin_costs_text(Isa::avx512, "unknown").empty());
}

TEST(ChooseKernel, TheTableOfThisProcessorIsThatOfItsMaker) {
  for (const Isa isa : {Isa::generic, Isa::avx2, Isa::avx512}) {
    const std::string_view own = builtin_costs_text(isa, cpu_maker());
    const Result<KernelCosts> wanted = parse_costs(own.empty() ? builtin_costs_text(isa) : own);
    ASSERT_TRUE(wanted) << wanted.status().to_line();
    EXPECT_EQ(builtin_costs_here(isa)->header.cpu, wanted->header.cpu) << isa_name(isa);
  }
}
#endif

TEST(ChooseKernel, BuiltinTablesChoose) {
  for (const BuiltinCase& c : kBuiltinCases) {
    for (int bits = 1; bits <= kCostWidths; ++bits) {
      GemmShape s = c.shape;
      s.weight_bits = bits;
      const char* expected = c.expected[bits - 1] != nullptr ? c.expected[bits - 1] : c.expected[0];
      EXPECT_STREQ(choose_kernel(s, c.isa, *builtin_costs(c.isa)).name, expected)
          << isa_name(c.isa) << " " << s.rows << "x" << s.cols << " batch " << s.batch << " bits "
          << bits << "," << s.activation_bits << (s.network_plane_bytes > 0 ? " cold" : "");
    }
  }
}

TEST(ChooseKernel, EveryShapeHasAKernelOfItsIsa) {
  const KernelCosts nothing;
  for (const BitKernel& any : all_kernels()) {
    for (const KernelCosts* costs : {&nothing, builtin_costs(any.isa).get()}) {
      for (const std::int64_t rows : {1, 16, 100, 4096}) {
        for (const std::int64_t batch : {1, 2, 7, 64, 1000}) {
          for (int weight_bits = 1; weight_bits <= 16; ++weight_bits) {
            for (const int activation_bits : {8, 16, 32}) {
              for (const std::int64_t network : {std::int64_t{0}, std::int64_t{1} << 40}) {
                const GemmShape shape{rows, 300, batch, weight_bits, activation_bits, 3, network};
                const BitKernel& kernel = choose_kernel(shape, any.isa, *costs);
                ASSERT_STRNE(kernel.name, "reference");
                ASSERT_TRUE(IsaChoice(any.isa).runs(kernel.isa)) << kernel.name;
                ASSERT_EQ(&kernel, &choose_kernel(shape, any.isa, *costs));
              }
            }
          }
        }
      }
    }
  }
}

#if defined(__x86_64__)
// Tuned where there are AVX-512 and AVX-VNNI, and brought to a CPU that lacks the latter.
TEST(ChooseKernel, ForeignTableChoosesNoKernelThatTraps) {
  const Result<KernelCosts> costs = parse_costs(R"(pbatch kernel costs, format 1
isa avx512
fields_avxvnni 1024x1024 8 1  1 1 1 1 1 1 1 1
fields_avx512  1024x1024 8 1  9 9 9 9 9 9 9 9
)");
  ASSERT_TRUE(costs) << costs.status().to_line();
  const GemmShape shape{1024, 1024, 1, 4, 8};
  EXPECT_STREQ(choose_kernel(shape, Isa::avx512, *costs).name, "fields_avx512");
  const FeatureSet both = isa_features(Isa::avx512) | isa_features(Isa::avxvnni);
  EXPECT_STREQ(choose_kernel(shape, IsaChoice(Isa::avx512, both), *costs).name, "fields_avxvnni");
  EXPECT_STREQ(choose_kernel(shape, Isa::avx2, *costs).name, "fields_avx2");
}
#endif

TEST(ChooseKernel, WithoutCostsTheLastOfTheBestIsa) {
  const KernelCosts nothing;
  EXPECT_STREQ(choose_kernel({64, 64}, Isa::generic, nothing).name, "words_generic");
#if defined(__x86_64__)
  EXPECT_STREQ(choose_kernel({64, 64}, Isa::avx2, nothing).name, "fields_avx2");
  EXPECT_STREQ(choose_kernel({64, 64}, Isa::avx512, nothing).name, "fields_avx512");
#endif
}

}  // namespace
}  // namespace pbatch
