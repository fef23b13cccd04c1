// The emulated tensor core operations, against matrices of single bits and bytes: elements are put
// where the PTX ISA's tables of matrix fragments say, one by one.
#include "cuda/mma_emulation.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/kernel/time_box.h"

namespace pbatch::testing {
namespace {

using cuda::LaneWords;

LaneWords random_words(std::mt19937_64& rng) {
  return LaneWords::of([&](int) { return static_cast<std::uint32_t>(rng()); });
}

// m16n8k128 on bits. a_i: row groupID for i < 32, else groupID + 8; column
// threadID_in_group * 32 + (i & 31). b_i: row threadID_in_group * 32 + i, column groupID.
// c_i: row groupID for i < 2, else groupID + 8; column threadID_in_group * 2 + (i & 1).
TEST(MmaEmulation, OnBitsFollowsTheTables) {
  std::mt19937_64 rng(kSeed);
  for (const bool by_xor : {false, true}) {
    const LaneWords a[2] = {random_words(rng), random_words(rng)}, b = random_words(rng);
    bool left[16][128], right[128][8];
    for (int lane = 0; lane < 32; ++lane) {
      const int group = lane >> 2, thread = lane % 4;
      for (int i = 0; i < 64; ++i) {
        left[i < 32 ? group : group + 8][thread * 32 + (i & 31)] =
            (a[i / 32].v[lane] >> (i % 32) & 1) != 0;
      }
      for (int i = 0; i < 32; ++i) right[thread * 32 + i][group] = (b.v[lane] >> i & 1) != 0;
    }
    LaneWords c[4] = {random_words(rng), random_words(rng), random_words(rng), random_words(rng)};
    const LaneWords before[4] = {c[0], c[1], c[2], c[3]};
    by_xor ? cuda::emulate_mma_xor(c, a[0], a[1], b) : cuda::emulate_mma_and(c, a[0], a[1], b);
    for (int lane = 0; lane < 32; ++lane) {
      for (int i = 0; i < 4; ++i) {
        const int row = i < 2 ? lane >> 2 : (lane >> 2) + 8, col = lane % 4 * 2 + (i & 1);
        std::uint32_t count = 0;
        for (int k = 0; k < 128; ++k) {
          count += by_xor ? left[row][k] != right[k][col] : left[row][k] && right[k][col];
        }
        EXPECT_EQ(c[i].v[lane], before[i].v[lane] + count);
      }
    }
  }
}

// m16n8k32 on bytes. a_i: row groupID for i < 4 and 8 <= i < 12, else groupID + 8; column
// threadID_in_group * 4 + (i & 3), and 16 more for i >= 8. b_i: row threadID_in_group * 4 + (i &
// 3), and 16 more for i >= 4; column groupID. c as above.
TEST(MmaEmulation, OnBytesFollowsTheTables) {
  std::mt19937_64 rng(kSeed);
  LaneWords a[4], b[2], c[4];
  for (LaneWords& word : a) word = random_words(rng);
  for (LaneWords& word : b) word = random_words(rng);
  for (LaneWords& word : c) word = random_words(rng);
  int left[16][32], right[32][8];
  for (int lane = 0; lane < 32; ++lane) {
    const int group = lane >> 2, thread = lane % 4;
    for (int i = 0; i < 16; ++i) {
      const int row = i < 4 || (i >= 8 && i < 12) ? group : group + 8;
      left[row][thread * 4 + (i & 3) + (i >= 8 ? 16 : 0)] =
          static_cast<int>(a[i / 4].v[lane] >> (8 * (i % 4)) & 255);
    }
    for (int i = 0; i < 8; ++i) {
      const int byte = static_cast<int>(b[i / 4].v[lane] >> (8 * (i % 4)) & 255);
      right[thread * 4 + (i & 3) + (i >= 4 ? 16 : 0)][group] = byte > 127 ? byte - 256 : byte;
    }
  }
  const LaneWords before[4] = {c[0], c[1], c[2], c[3]};
  cuda::emulate_mma_bytes(c, a, b);
  for (int lane = 0; lane < 32; ++lane) {
    for (int i = 0; i < 4; ++i) {
      const int row = i < 2 ? lane >> 2 : (lane >> 2) + 8, col = lane % 4 * 2 + (i & 1);
      int sum = 0;
      for (int k = 0; k < 32; ++k) sum += left[row][k] * right[k][col];
      EXPECT_EQ(c[i].v[lane], before[i].v[lane] + static_cast<std::uint32_t>(sum));
    }
  }
}

}  // namespace
}  // namespace pbatch::testing
