#include "cost/costs_text.h"

#include <gtest/gtest.h>

#include <clocale>
#include <random>
#include <string>

#include "cost/builtin_costs.h"

namespace pbatch {
namespace {

const std::string kHead = "pbatch kernel costs, format 1\nisa generic\n";
const std::string kLine = "words_generic 1024x1024 8 1 1 2 3 4 5 6 7 8\n";

TEST(CostsText, ReadsWhatItSays) {
  const Result<KernelCosts> costs = parse_costs(
      "pbatch kernel costs, format 1\r\n"
      "# a comment\n"
      "build 0.1.0 words_generic\n"
      "isa generic\n"
      "cpu  Some (R) Processor \n"
      "date 2026-11-24\n"
      "\n"
      "memory 1 41.5\n"
      "memory 8 2e1\n"
      "words_generic 4096x4096 32 64 1 2.5 3 4e2 - 6 7 8");
  ASSERT_TRUE(costs) << costs.status().to_line();
  EXPECT_EQ(costs->header.build, "0.1.0 words_generic");
  EXPECT_EQ(costs->header.isa, "generic");
  EXPECT_EQ(costs->header.cpu, "Some (R) Processor");
  EXPECT_EQ(costs->header.date, "2026-11-24");
  ASSERT_EQ(costs->memory.size(), 2U);
  EXPECT_EQ(costs->memory[0].threads, 1);
  EXPECT_EQ(costs->memory[0].ps_per_byte, 41.5);
  EXPECT_EQ(costs->memory[1].threads, 8);
  EXPECT_EQ(costs->memory[1].ps_per_byte, 20);
  const BitKernel& words = *find_kernel("words_generic");
  EXPECT_EQ(costs->at(words, {3, 2, 5}), (WidthCosts{1, 2.5, 3, 400, 0, 6, 7, 8}));
  EXPECT_EQ(costs->at(words, {3, 2, 4}), WidthCosts{});
  EXPECT_TRUE(costs->knows(words));
  EXPECT_FALSE(costs->knows(*find_kernel("popcnt_generic")));
}

TEST(CostsText, RefusesWithTheLine) {
  struct {
    const char* line;
    std::string text;
    const char* part;
  } const cases[] = {
      {"1", "", "empty"},
      {"1", "\n# nothing\n", "empty"},
      {"2", "\nisa generic\n", "format 1"},
      {"1", "pbatch kernel costs, format 2\n" + kLine, "format 1"},
      {"1", std::string(kMaxCostsBytes + 1, '\n'), "longer"},
      {"2", "pbatch kernel costs, format 1\n" + kLine, "isa"},
      {"2", kHead, "no kernel"},
      {"3", kHead + "words_generic 1024x1024 8 1 - - - - - - - -\n", "no kernel"},
      {"3", kHead + "isa generic\n" + kLine, "twice"},
      {"3", kHead + "date\n" + kLine, "no value"},
      {"3", kHead + "cpu " + std::string(20000, 'x') + "\n" + kLine, "long"},
      {"3", kHead + "colour blue\n" + kLine, "colour"},
      {"3", kHead + "memory 1\n" + kLine, "memory"},
      {"3", kHead + "memory 0 40\n" + kLine, "memory"},
      {"3", kHead + "memory 1 nan\n" + kLine, "memory"},
      {"3", kHead + "memory 1 -40\n" + kLine, "memory"},
      {"4", kHead + "memory 2 40\nmemory 2 30\n" + kLine, "ascend"},
      {"3", kHead + "words_generic 1024x1024 8 1 1 2 3 4 5 6 7\n", "12 words"},
      {"3", kHead + "words_generic 1024x1024 8 1 1 2 3 4 5 6 7 8 9\n", "12 words"},
      {"3", kHead + "quantum_avx9 1024x1024 8 1 1 2 3 4 5 6 7 8\n", "quantum_avx9"},
      {"3", kHead + "reference 1024x1024 8 1 1 2 3 4 5 6 7 8\n", "reference"},
      {"3", kHead + "words_generic 1024x1025 8 1 1 2 3 4 5 6 7 8\n", "1024x1025"},
      {"3", kHead + "words_generic 1024x1024 9 1 1 2 3 4 5 6 7 8\n", "'9'"},
      {"3", kHead + "words_generic 1024x1024 8 3 1 2 3 4 5 6 7 8\n", "'3'"},
      {"3", kHead + "words_generic 1024x1024 8 1.0 1 2 3 4 5 6 7 8\n", "'1.0'"},
      {"3", kHead + "words_generic 1024x1024 8 1 1 2 nan 4 5 6 7 8\n", "nan"},
      {"3", kHead + "words_generic 1024x1024 8 1 1 2 inf 4 5 6 7 8\n", "inf"},
      {"3", kHead + "words_generic 1024x1024 8 1 1 2 1e999 4 5 6 7 8\n", "1e999"},
      {"3", kHead + "words_generic 1024x1024 8 1 1 2 0 4 5 6 7 8\n", "'0'"},
      {"3", kHead + "words_generic 1024x1024 8 1 1 2 -3 4 5 6 7 8\n", "-3"},
      {"3", kHead + "words_generic 1024x1024 8 1 1 2 3x 4 5 6 7 8\n", "3x"},
      {"3", kHead + "words_generic 1024x1024 8 1 1 2 0x3 4 5 6 7 8\n", "0x3"},
      {"4", kHead + kLine + kLine, "twice"},
      {"3", kHead + std::string("\0\0\0", 3) + "\n" + kLine, "12 words"},
  };
  for (const auto& c : cases) {
    const Status s = parse_costs(c.text).status();
    EXPECT_EQ(s.code(), ErrorCode::malformed) << c.part;
    EXPECT_EQ(s.message().rfind(std::string("line ") + c.line + ": ", 0), 0U) << s.to_line();
    EXPECT_NE(s.message().find(c.part), std::string::npos) << s.to_line();
    EXPECT_NE(s.remedy().find("pbatch bench --tune"), std::string::npos);
    EXPECT_LT(s.message().size(), 200U);
  }
}

TEST(CostsText, HeaderAloneForgivesWhatFollows) {
  const Result<CostHeader> header =
      parse_cost_header("pbatch kernel costs, format 1\nbuild 9\ncpu x\nfuture stuff\n");
  ASSERT_TRUE(header) << header.status().to_line();
  EXPECT_EQ(header->build, "9");
  EXPECT_EQ(header->cpu, "x");
  ASSERT_TRUE(parse_cost_header("pbatch kernel costs, format 2\nanything\n"));
  EXPECT_EQ(parse_cost_header("pbatch kernel costs, format 2\nanything\n")->build, "");
  EXPECT_EQ(parse_cost_header("PK\x03\x04").status().code(), ErrorCode::malformed);
}

TEST(CostsText, PrintsWhatItReads) {
  std::mt19937 random(7);
  std::uniform_int_distribution<int> digits(1000, 9999), coin(0, 2), exponent(-4, 3);
  KernelCosts costs;
  costs.header = {"0.1.0 a b", "generic", "Some CPU (6 1 2)", "2026-11-24 10:00 UTC"};
  costs.memory = {{1, 41.25}, {2, 30}};
  for (const BitKernel& kernel : all_kernels().subspan(1)) {
    for (std::size_t m = 0; m < kCostMatrices.size(); ++m) {
      for (std::size_t a = 0; a < kCostActivationBits.size(); ++a) {
        for (std::size_t b = 0; b < kCostBatches.size(); ++b) {
          WidthCosts widths{};
          for (double& w : widths) {
            // Four digits: what is printed.
            if (coin(random) > 0) {
              w = std::stod(std::to_string(digits(random)) + "e" +
                            std::to_string(exponent(random)));
            }
          }
          costs.set(kernel, {m, a, b}, widths);
        }
      }
    }
  }
  const std::string text = print_costs(costs);
  const Result<KernelCosts> read = parse_costs(text);
  ASSERT_TRUE(read) << read.status().to_line();
  EXPECT_EQ(print_costs(*read), text);
  EXPECT_EQ(read->header.cpu, costs.header.cpu);
  EXPECT_EQ(read->header.build, costs.header.build);
  for (const BitKernel& kernel : all_kernels().subspan(1)) {
    for (std::size_t m = 0; m < kCostMatrices.size(); ++m) {
      ASSERT_EQ(read->at(kernel, {m, 1, 2}), costs.at(kernel, {m, 1, 2}));
    }
  }
}

// Whatever a damaged text says, costs are numbers that a time can be told from.
TEST(CostsText, DamageIsAnErrorOrHarmless) {
  const std::string text =
      kHead + "memory 1 40\n" + kLine + "words_generic 16x4096 16 4 1 2 3 4 - 6 7 8";
  std::mt19937 random(11);
  const std::string bytes = std::string("\0 \n\t-.eE0123456789xinfa#\xff", 25);
  const auto pick = [&random](std::size_t n) {
    return std::uniform_int_distribution<std::size_t>(0, n - 1)(random);
  };
  for (int i = 0; i < 20000; ++i) {
    std::string damaged = text.substr(0, i < 1000 ? pick(text.size()) : text.size());
    for (std::size_t n = pick(4); n > 0 && !damaged.empty(); --n) {
      damaged[pick(damaged.size())] = bytes[pick(bytes.size())];
    }
    const Result<KernelCosts> costs = parse_costs(damaged);
    if (!costs) {
      ASSERT_EQ(costs.status().code(), ErrorCode::malformed);
      continue;
    }
    for (const double cost : costs->at(*find_kernel("words_generic"), {2, 0, 0})) {
      ASSERT_TRUE(cost >= 0 && cost <= 1e9) << damaged;
    }
  }
}

TEST(CostsText, BuiltinTablesParse) {
  for (const BitKernel& kernel : all_kernels()) {
    const std::string text(builtin_costs_text(kernel.isa));
    if (text.empty()) continue;
    const Result<KernelCosts> costs = parse_costs(text);
    ASSERT_TRUE(costs) << isa_name(kernel.isa) << ": " << costs.status().to_line();
    EXPECT_EQ(costs->header.isa, isa_name(kernel.isa));
    bool own = false;  // knows a kernel of its own ISA, and none that it cannot run
    for (const BitKernel& known : all_kernels()) {
      if (!costs->knows(known)) continue;
      EXPECT_LE(known.isa, kernel.isa) << known.name;
      own = own || known.isa == kernel.isa;
    }
    EXPECT_TRUE(own) << isa_name(kernel.isa);
  }
  EXPECT_FALSE(builtin_costs_text(Isa::generic).empty());
}

}  // namespace
}  // namespace pbatch
