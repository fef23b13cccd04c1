#include "run/arena.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace pbatch {
namespace {

TEST(Arena, GivesAPlaceAgainOnceItIsFree) {
  Arena arena;
  const std::size_t a = arena.allocate(100), b = arena.allocate(1), c = arena.allocate(64);
  EXPECT_EQ(a, 0u);
  EXPECT_EQ(b, 128u);
  EXPECT_EQ(c, 192u);
  arena.free(b, 1);
  EXPECT_EQ(arena.allocate(64), b);
  arena.free(a, 100);
  EXPECT_EQ(arena.allocate(200), 256u);  // too large for the gap
  EXPECT_EQ(arena.allocate(10), a);
  EXPECT_EQ(arena.allocate(10), a + 64);
  EXPECT_EQ(arena.bytes(), 512u);
}

TEST(Arena, GrowsTheGapAtItsEnd) {
  Arena arena;
  const std::size_t a = arena.allocate(64), b = arena.allocate(64);
  arena.free(b, 64);
  EXPECT_EQ(arena.allocate(1000), b);
  EXPECT_EQ(a, 0u);
  EXPECT_EQ(arena.bytes(), 64u + 1024u);
}

TEST(Arena, NeverGivesAPlaceTwice) {
  std::mt19937 rng(1);
  Arena arena;
  std::map<std::size_t, std::size_t> live;  // offset to bytes
  for (int i = 0; i < 20000; ++i) {
    if (!live.empty() && rng() % 2 == 0) {
      const auto it = std::next(live.begin(), static_cast<std::ptrdiff_t>(rng() % live.size()));
      arena.free(it->first, it->second);
      live.erase(it);
      continue;
    }
    const std::size_t bytes = rng() % 500, offset = arena.allocate(bytes);
    ASSERT_EQ(offset % 64, 0u);
    ASSERT_LE(offset + bytes, arena.bytes());
    const auto next = live.lower_bound(offset);
    if (next != live.end()) {
      ASSERT_LE(offset + bytes, next->first);
    }
    if (next != live.begin()) {
      const auto before = std::prev(next);
      ASSERT_LE(before->first + std::max<std::size_t>(before->second, 1), offset);
    }
    ASSERT_TRUE(live.emplace(offset, bytes).second);
  }
}

}  // namespace
}  // namespace pbatch
