// Every packer of activations against the definition of its layout.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "isa/isa.h"
#include "tests/kernel/layouts.h"
#include "tests/kernel/time_box.h"

namespace pbatch::testing {
namespace {

constexpr std::uint8_t kPackGuard = 0x5a;

class PackerTest : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    if (!isa_runs_here(packer().isa)) {
      GTEST_SKIP() << "this CPU lacks " << isa_name(packer().isa);
    }
  }
  static const ActivationPacker& packer() {
    return all_packers()[static_cast<std::size_t>(GetParam())];
  }
  static void expect_defined(const std::vector<std::int32_t>& q, int activation_bits) {
    const std::vector<std::uint8_t> expected = packed(q, packer().layout, activation_bits);
    ASSERT_EQ(expected.size() % 64, 0u);
    std::vector<Line> out(expected.size() / 64 + 1);
    std::memset(out.data(), kPackGuard, out.size() * sizeof(Line));
    const auto blocks = static_cast<std::int64_t>(q.size() / 32);
    packer().run(q.data(), blocks, activation_bits, out.front().bytes);
    for (const std::uint8_t byte : out.back().bytes) ASSERT_EQ(byte, kPackGuard);
    // An odd block of 8 bits ends in the middle of a line; only digits say what follows.
    const bool anything = packer().layout == kActivationPlanes && activation_bits == 8;
    const std::size_t bytes = anything ? q.size() : expected.size();
    const std::uint8_t* const actual = out.front().bytes;
    ASSERT_TRUE(std::equal(actual, actual + bytes, expected.begin()))
        << blocks << " blocks, " << activation_bits << " bits";
  }
};

TEST_P(PackerTest, IsTheDefinition) {
  std::mt19937_64 rng(kSeed);
  TimeBox box(60);
  while (box.next()) {
    const int activation_bits = 8 << (rng() % 3);
    const std::int64_t limit = q_max(activation_bits);
    std::uniform_int_distribution<std::int64_t> value(-limit, limit);
    std::vector<std::int32_t> q(32 * (1 + rng() % 40));
    for (auto& number : q) number = static_cast<std::int32_t>(value(rng));
    expect_defined(q, activation_bits);
    if (HasFatalFailure()) return;
  }
}

// Where a digit, a half or a sign changes.
TEST_P(PackerTest, IsTheDefinitionAtTheBorders) {
  for (const int activation_bits : {8, 16, 32}) {
    std::vector<std::int32_t> q;
    for (const std::int32_t near : {0, 127, 128, 32767, 16384, 32639, 256, 1 << 15, 1 << 29}) {
      for (int step = -2; step <= 2; ++step) {
        for (const int sign : {-1, 1}) {
          const std::int32_t value = sign * (near + step);
          if (std::abs(value) <= q_max(activation_bits)) q.push_back(value);
        }
      }
    }
    q.resize((q.size() + 31) / 32 * 32);
    expect_defined(q, activation_bits);
    if (HasFatalFailure()) return;
  }
}

std::string packer_name(const ::testing::TestParamInfo<int>& test) {
  return all_packers()[static_cast<std::size_t>(test.param)].name;
}

INSTANTIATE_TEST_SUITE_P(All, PackerTest,
                         ::testing::Range(0, static_cast<int>(all_packers().size())), packer_name);

}  // namespace
}  // namespace pbatch::testing
