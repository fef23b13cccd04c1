#include "base/aligned_buffer.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>

namespace pbatch {
namespace {

std::uintptr_t address(const std::shared_ptr<void>& memory) {
  return reinterpret_cast<std::uintptr_t>(memory.get());
}

TEST(AlignedBuffer, AlignedAndWritableToTheLastByte) {
  constexpr std::size_t kHuge = std::size_t{1} << 21;
  for (const std::size_t bytes : {std::size_t{0}, std::size_t{1}, std::size_t{64}, std::size_t{100},
                                  kHuge - 1, kHuge, kHuge + 1, 3 * kHuge + 4097}) {
    const auto memory = allocate_aligned(bytes);
    ASSERT_NE(memory, nullptr) << bytes;
    EXPECT_EQ(address(memory) % kBufferAlignment, 0U) << bytes;
    std::memset(memory.get(), 0x5a, bytes);
    if (bytes >= kHuge) {
      EXPECT_EQ(address(memory) % kHuge, 0U) << bytes;
    }
  }
}

TEST(AlignedBuffer, MoreThanTheMachineHasIsRefused) {
  EXPECT_EQ(allocate_aligned(SIZE_MAX), nullptr);
  EXPECT_EQ(allocate_aligned(SIZE_MAX / 2 - 64), nullptr);
}

}  // namespace
}  // namespace pbatch
