#include "tests/run/count_allocations.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

namespace {

std::atomic<bool> counting{false};
std::atomic<long> allocations{0};

}  // namespace

#if PBATCH_COUNTS_ALLOCATIONS
// Those of the whole program. Not inline: compilers would see a new that ends in a free.
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  if (counting) ++allocations;
  if (void* const memory = std::malloc(bytes != 0 ? bytes : 1); memory != nullptr) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
#endif

namespace pbatch::testing {

long count_allocations(const std::function<void()>& work) {
  allocations = 0;
  counting = true;
  work();
  counting = false;
  return allocations;
}

TEST(CountAllocations, CountsThem) {
  if (!PBATCH_COUNTS_ALLOCATIONS) GTEST_SKIP() << "sanitizers have allocators of their own";
  EXPECT_EQ(count_allocations([] {}), 0);
  EXPECT_EQ(count_allocations([] {
              const std::vector<int> one(3);
              const auto two = std::make_unique<long>(one[0]);
              EXPECT_EQ(*two, 0);
            }),
            2);
}

}  // namespace pbatch::testing
