#include "base/fork.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

#include "base/thread_pool.h"
#include "tests/support/forked.h"

namespace pbatch {
namespace {

using namespace std::chrono_literals;

// How many threads take part in work to which all have seconds to come.
int threads_at_work(ThreadPool& pool) {
  std::mutex mutex;
  std::set<std::thread::id> present;
  const auto all_are_here = [&] {
    const std::scoped_lock lock(mutex);
    present.insert(std::this_thread::get_id());
    return static_cast<int>(present.size()) == pool.threads();
  };
  // A task may get many of them: each waits.
  pool.parallel_for(1000 * pool.threads(), 1, [&](std::int64_t begin, std::int64_t end) {
    for (; begin < end && !all_are_here(); ++begin) std::this_thread::sleep_for(5ms);
  });
  return static_cast<int>(present.size());
}

TEST(Fork, IsCounted) {
  PBATCH_SKIP_FORKS();
  const std::uint32_t here = fork_generation();
  EXPECT_EQ(testing::in_a_fork([&] { return fork_generation() == here + 1; }), "");
  EXPECT_EQ(fork_generation(), here);
}

TEST(Fork, LeavesAPoolThatHasItsThreadsAgain) {
  PBATCH_SKIP_FORKS();
  ThreadPool pool(3);
  ASSERT_EQ(threads_at_work(pool), 3);
  const auto works = [&] {
    bool all = threads_at_work(pool) == 3 && threads_at_work(pool) == 3;
    ThreadPool other(2);
    return all && threads_at_work(other) == 2;
  };
  EXPECT_EQ(testing::in_a_fork(works), "");
  EXPECT_EQ(testing::in_a_fork([&] { return testing::in_a_fork(works).empty() && works(); }), "");
  EXPECT_EQ(threads_at_work(pool), 3);
}

// Also one that nothing was asked of there.
TEST(Fork, LeavesAPoolThatCanGo) {
  PBATCH_SKIP_FORKS();
  EXPECT_EQ(testing::in_a_fork([] {
              ThreadPool pool(2);
              return testing::in_a_fork([&] { return pool.threads() == 2; }).empty();
            }),
            "");
  auto pool = std::make_unique<ThreadPool>(2);
  EXPECT_EQ(testing::in_a_fork([&] {
              pool.reset();
              return true;
            }),
            "");
}

// Forks come at any moment of its threads' lives.
TEST(Fork, FindsNoLockThatAThreadHeld) {
  PBATCH_SKIP_FORKS();
  ThreadPool pool(3);
  for (int i = 0; i < 50; ++i) {
    pool.parallel_for(1000, 1, [](std::int64_t, std::int64_t) {});
    ASSERT_EQ(testing::in_a_fork([&] { return threads_at_work(pool) == 3; }), "") << i;
  }
}

}  // namespace
}  // namespace pbatch
