#include "base/buffer_pool.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>

namespace pbatch {
namespace {

TEST(BufferPool, ReusesWhatWasGivenBack) {
  BufferPool pool;
  void* first = nullptr;
  {
    const auto buffer = pool.take(1000);
    first = buffer.get();
  }
  EXPECT_EQ(pool.take(1000).get(), first);
}

TEST(BufferPool, NeverHandsOutABufferTwice) {
  BufferPool pool;
  const auto a = pool.take(4096);
  const auto b = pool.take(4096);
  EXPECT_NE(a.get(), b.get());
}

TEST(BufferPool, EverySizeIsWholeAndAligned) {
  BufferPool pool;
  for (std::size_t bytes = 0; bytes < 5000; bytes += 37) {
    const auto buffer = pool.take(bytes);
    ASSERT_NE(buffer, nullptr);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer.get()) % 64, 0u);
    std::memset(buffer.get(), 1, bytes);  // a short buffer shows under AddressSanitizer
  }
}

TEST(BufferPool, BuffersMayOutliveThePool) {
  std::shared_ptr<void> buffer;
  {
    BufferPool pool;
    buffer = pool.take(100);
  }
  std::memset(buffer.get(), 0, 100);
}

TEST(BufferPool, ImpossibleSizesAreNull) {
  BufferPool pool;
  EXPECT_EQ(pool.take(SIZE_MAX), nullptr);
  EXPECT_EQ(pool.take(std::size_t{1} << 47), nullptr);
}

}  // namespace
}  // namespace pbatch
