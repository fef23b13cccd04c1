#include "base/thread_pool.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>
#include <chrono>
#include <ctime>
#include <mutex>
#include <numeric>
#include <set>
#include <thread>
#include <vector>

#include "base/cpus.h"

namespace pbatch {
namespace {

using namespace std::chrono_literals;

std::vector<int> cpus_of_this_thread() {
  return usable_cpus();  // sched_getaffinity(0) is of the calling thread
}

double cpu_ms() {
  std::timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) / 1e6;
}

// Runs the task once in every thread of the pool.
template <class Task>
void on_every_thread(ThreadPool& pool, const Task& task) {
  std::atomic<int> here{0};
  pool.parallel_for(16 * pool.threads(), 1, [&](std::int64_t begin, std::int64_t end) {
    if (begin == 0 && end == 1) {  // not worth waking anybody if it were short
      std::this_thread::sleep_for(1ms);
      return;
    }
    if (here >= pool.threads()) return;
    task();
    for (++here; here < pool.threads();) std::this_thread::yield();
  });
}

TEST(ThreadPool, CoversEveryIndexOnceInMultiplesOfTheGrain) {
  for (const int threads : {1, 2, 3, 7}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (const std::int64_t count : {0, 1, 5, 16, 17, 1000}) {
      for (const std::int64_t grain : {1, 4, 16, 2000}) {
        std::vector<std::atomic<int>> hits(static_cast<std::size_t>(count));
        pool.parallel_for(count, grain, [&](std::int64_t begin, std::int64_t end) {
          EXPECT_LT(begin, end);
          EXPECT_EQ(begin % grain, 0);
          EXPECT_TRUE(end == count || end % grain == 0);
          for (std::int64_t i = begin; i < end; ++i) ++hits[static_cast<std::size_t>(i)];
        });
        for (const auto& h : hits) EXPECT_EQ(h.load(), 1);
      }
    }
  }
}

TEST(ThreadPool, TakesMoreUnitsThanItCounts) {
  ThreadPool pool(3);
  const std::int64_t count = (std::int64_t{1} << 62) + 5;
  std::atomic<std::int64_t> sum{0};
  pool.parallel_for(count, 1, [&](std::int64_t begin, std::int64_t end) { sum += end - begin; });
  EXPECT_EQ(sum.load(), count);
}

TEST(ThreadPool, TheCallerSeesWhatTheTaskWrote) {
  ThreadPool pool(4);
  std::vector<int> written(4096);
  for (int round = 1; round <= 200; ++round) {
    pool.parallel_for(4096, 16, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) written[static_cast<std::size_t>(i)] += 1;
    });
    ASSERT_EQ(std::accumulate(written.begin(), written.end(), 0), 4096 * round);
  }
}

TEST(ThreadPool, EveryThreadOfItTakesPart) {
  ThreadPool pool(4);
  std::mutex mutex;
  std::set<std::thread::id> seen;
  on_every_thread(pool, [&] {
    const std::lock_guard lock(mutex);
    seen.insert(std::this_thread::get_id());
  });
  EXPECT_EQ(seen.size(), 4U);
  EXPECT_TRUE(seen.contains(std::this_thread::get_id()));
}

TEST(ThreadPool, AThreadThatIsHeldUpIsHelped) {
  ThreadPool pool(2);
  constexpr std::int64_t kCount = 64;
  std::atomic<std::int64_t> done{0};
  pool.parallel_for(kCount, 1, [&](std::int64_t begin, std::int64_t end) {
    if (begin == 0 && end == 1) std::this_thread::sleep_for(1ms);  // worth waking the other
    // Whoever has the second unit goes on only when all others are done.
    const bool held_up = begin <= 1 && end > 1;
    while (held_up && done.load() < kCount - (end - begin)) std::this_thread::yield();
    done += end - begin;
  });
  EXPECT_EQ(done.load(), kCount);
}

TEST(ThreadPool, ManyThreadsMayShareOne) {
  for (const int threads : {2, 3}) {
    ThreadPool pool(threads);
    std::atomic<std::int64_t> sum{0};
    std::vector<std::thread> callers;
    for (int t = 0; t < 8; ++t) {
      callers.emplace_back([&] {
        for (int repeat = 0; repeat < 100; ++repeat) {
          std::vector<std::int64_t> own(100);
          pool.parallel_for(100, 1, [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t i = begin; i < end; ++i) own[static_cast<std::size_t>(i)] = i;
          });
          sum += std::accumulate(own.begin(), own.end(), std::int64_t{0});
        }
      });
    }
    for (auto& c : callers) c.join();
    EXPECT_EQ(sum.load(), 8 * 100 * 4950);
  }
}

TEST(ThreadPool, ATaskMayCallToo) {
  ThreadPool pool(3);
  std::atomic<std::int64_t> sum{0};
  pool.parallel_for(20, 1, [&](std::int64_t outer, std::int64_t outer_end) {
    for (; outer < outer_end; ++outer) {
      pool.parallel_for(50, 1, [&](std::int64_t begin, std::int64_t end) {
        pool.parallel_for(end - begin, 1, [&](std::int64_t b, std::int64_t e) { sum += e - b; });
      });
    }
  });
  EXPECT_EQ(sum.load(), 20 * 50);
}

TEST(ThreadPool, ComesAndGoes) {
  for (int i = 0; i < 50; ++i) {
    ThreadPool pool(3);
    std::atomic<int> sum{0};
    if (i % 2 == 0)
      pool.parallel_for(9, 1, [&](std::int64_t b, std::int64_t e) { sum += int(e - b); });
    if (i % 3 == 0) std::this_thread::sleep_for(200us);
    EXPECT_EQ(sum.load(), i % 2 == 0 ? 9 : 0);
  }
}

TEST(ThreadPool, SleepsWhenThereIsNothingToDo) {
  ThreadPool pool(4);
  on_every_thread(pool, [] {});
  std::this_thread::sleep_for(20ms);
  const double before = cpu_ms();
  std::this_thread::sleep_for(200ms);
  EXPECT_LT(cpu_ms() - before, 20);  // one thread awake would take 200
  on_every_thread(pool, [] {});      // and it wakes up again
  EXPECT_EQ(pool.lend(), 4);
  on_every_thread(pool, [] {});
}

TEST(ThreadPool, RunsOnTheCpusThatAreNamed) {
  const std::vector<int> usable = usable_cpus();
  if (usable.size() < 2) GTEST_SKIP() << "one CPU only";
  const auto pool = ThreadPool::create({.threads = 2, .cpus = {usable[1], usable[0]}});
  ASSERT_TRUE(pool) << pool.status().to_line();
  EXPECT_EQ((*pool)->threads(), 2);
  const auto caller = std::this_thread::get_id();
  std::vector<int> of_caller, of_other;
  on_every_thread(**pool, [&] {
    (std::this_thread::get_id() == caller ? of_caller : of_other) = cpus_of_this_thread();
  });
  EXPECT_EQ(of_caller, usable);  // not moved
  EXPECT_EQ(of_other, std::vector<int>{usable[0]});
}

TEST(ThreadPool, ThreadsAreCountedByTheCpus) {
  const auto pool = make_thread_pool({.cpus = {usable_cpus()[0]}});
  ASSERT_TRUE(pool) << pool.status().to_line();
  EXPECT_EQ(thread_count(**pool), 1);
  const auto free = make_thread_pool({});
  ASSERT_TRUE(free) << free.status().to_line();
  EXPECT_EQ(thread_count(**free), usable_cpu_count());
}

TEST(ThreadPool, RefusesWhatCannotBe) {
  const int cpu = usable_cpus()[0];
  const auto refused = [](const ThreadPoolOptions& options, const std::string& part) {
    const auto pool = make_thread_pool(options);
    ASSERT_FALSE(pool);
    EXPECT_EQ(pool.status().code(), ErrorCode::invalid_argument);
    EXPECT_NE(pool.status().to_line().find(part), std::string::npos) << pool.status().to_line();
  };
  refused({.threads = -1}, "-1 threads");
  refused({.threads = kMaxThreads + 1}, "1025 threads");
  refused({.threads = 2, .cpus = {cpu}}, "2 threads and 1 CPUs");
  refused({.cpus = {cpu, cpu}}, "named twice");
  refused({.cpus = {cpu, 1000000}}, "CPU 1000000 does not exist");
  refused({.cpus = {-1}}, "CPU -1 does not exist");
}

}  // namespace
}  // namespace pbatch
