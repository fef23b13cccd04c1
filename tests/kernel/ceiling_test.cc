// Loops that only read must read everything, those that only multiply must multiply.
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "kernel/ceiling_registry.h"

namespace pbatch {
namespace {

struct alignas(64) Line64 {
  std::uint64_t words[8];
};

TEST(Ceiling, ReadersSeeEveryWord) {
  for (const MemoryReader& reader : all_readers()) {
    if (!isa_runs_here(reader.isa)) continue;
    for (int loop = 0; loop < kReadLoops; ++loop) {
      for (const std::size_t lines : {1, 2, 7, 8, 9, 33, 64}) {
        std::vector<Line64> memory(lines, Line64{});
        EXPECT_EQ(reader.run(loop, reinterpret_cast<const std::uint8_t*>(memory.data()),
                             static_cast<std::int64_t>(lines)),
                  0U);
        for (std::size_t word = 0; word < lines * 8; ++word) {
          std::uint64_t& one = memory[word / 8].words[word % 8];
          one = std::uint64_t{1} << (word % 64);
          EXPECT_EQ(reader.run(loop, reinterpret_cast<const std::uint8_t*>(memory.data()),
                               static_cast<std::int64_t>(lines)),
                    one)
              << reader.name << ", loop " << loop << ", " << lines << " lines, word " << word;
          one = 0;
        }
      }
    }
  }
}

TEST(Ceiling, NamesEndInTheirIsa) {
  for (const MemoryReader& reader : all_readers()) {
    EXPECT_EQ(reader.name, "read_" + std::string(isa_name(reader.isa)));
  }
  for (const Multiplier& multiplier : all_multipliers()) {
    EXPECT_EQ(multiplier.name, "multiply_" + std::string(isa_name(multiplier.isa)));
  }
}

TEST(Ceiling, MultipliersDoWhatTheySay) {
  for (const Multiplier& multiplier : all_multipliers()) {
    if (!isa_runs_here(multiplier.isa)) continue;
    std::int32_t none = 7, some = 7;
    EXPECT_EQ(multiplier.run(0, &none), 0);
    const std::int64_t products = multiplier.run(3, &some);
    EXPECT_GT(products, 0);
    EXPECT_EQ(multiplier.run(6, &some), 2 * products);
    EXPECT_NE(some, none) << multiplier.name;
  }
}

}  // namespace
}  // namespace pbatch
