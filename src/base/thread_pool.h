// Fork-join parallelism over pthreadpool.
#pragma once

#include <cstdint>
#include <memory>

namespace pbatch {

/// A pool of threads; the calling thread is one of them. Calls from several
/// threads take turns. Not reentrant: a task must not call parallel_for.
class ThreadPool {
 public:
  /// threads <= 0: one per core this process may run on.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return threads_; }

  /// Calls task(begin, end) on disjoint ranges that cover 0 .. count - 1; each
  /// range but the last is a multiple of `grain` long. Runs in the calling
  /// thread when one range is enough.
  template <class Task>
  void parallel_for(std::int64_t count, std::int64_t grain, const Task& task) {
    run(
        count, grain,
        [](const void* t, std::int64_t begin, std::int64_t end) {
          (*static_cast<const Task*>(t))(begin, end);
        },
        &task);
  }

 private:
  using RangeFn = void (*)(const void* task, std::int64_t begin, std::int64_t end);
  void run(std::int64_t count, std::int64_t grain, RangeFn fn, const void* task);

  struct Impl;
  int threads_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pbatch
