// Fork-join parallelism: threads that help whoever has work.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "pbatch/status.h"
#include "pbatch/thread_pool.h"

namespace pbatch {

/// The calling thread is one of the pool's threads. Every call runs in its
/// caller, whatever the others do; threads that are free take parts of it. So
/// any number of threads may call at once, and a task may call, too. But a task
/// must not wait for another: it may be the same thread that runs both. In a
/// process that was forked off, the pool starts its threads anew when it first
/// needs them; no call may be under way when the process forks.
class ThreadPool {
 public:
  /// threads <= 0: one per CPU that this process may use. Makes do with fewer
  /// if the system grants no more.
  explicit ThreadPool(int threads);
  /// All as asked, or an error.
  static Result<std::shared_ptr<ThreadPool>> create(const ThreadPoolOptions& options);
  /// No call may be under way.
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return threads_; }

  /// From now on thread i runs on cpus[i] only; the first is the caller's,
  /// which stays where it is. An error for CPUs that check_cpus refuses or
  /// that are not as many as the threads.
  Status pin(const std::vector<int>& cpus);

  /// Calls task(begin, end) on disjoint ranges that cover 0 .. count - 1; each
  /// range but the last is a multiple of `grain` long. Every thread starts with
  /// the same part each time, so that what it reads may still be in its cache,
  /// and helps others when its own is done. Runs in the calling thread when one
  /// range is enough. What the task wrote is visible to the caller afterwards.
  template <class Task>
  void parallel_for(std::int64_t count, std::int64_t grain, const Task& task) {
    run(
        count, grain,
        [](const void* t, std::int64_t begin, std::int64_t end) {
          (*static_cast<const Task*>(t))(begin, end);
        },
        &task);
  }

  /// threads(), for the loops of another library that start now: its threads
  /// need the cores, so ours go to sleep until the next parallel_for.
  int lend();

 private:
  using RangeFn = void (*)(const void* task, std::int64_t begin, std::int64_t end);
  struct Job;
  struct Impl;

  /// Whose threads exist in this process.
  Impl& impl();
  void run(std::int64_t count, std::int64_t grain, RangeFn fn, const void* task);

  int threads_ = 1;
  std::vector<int> cpus_;             // where they run; empty: anywhere
  std::atomic<Impl*> impl_{nullptr};  // null for one thread
};

}  // namespace pbatch
