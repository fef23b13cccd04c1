#include "base/thread_pool.h"

#include <pthreadpool.h>
#include <sched.h>

#include <algorithm>

#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

namespace pbatch {
namespace {

// pthreadpool is not built for ThreadSanitizer, which cannot see the order that it keeps:
// what stands before a give happens before what stands after a take.
#if defined(__SANITIZE_THREAD__)
void give_order(const void* mark) { __tsan_release(const_cast<void*>(mark)); }
void take_order(const void* mark) { __tsan_acquire(const_cast<void*>(mark)); }
#else
void give_order(const void*) {}
void take_order(const void*) {}
#endif

// More ranges than threads, so that a thread that was held up can be helped.
constexpr std::int64_t kRangesPerThread = 4;

int cores_of_this_process() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return std::max(1, CPU_COUNT(&set));
}

}  // namespace

struct ThreadPool::Impl {
  pthreadpool_t pool = nullptr;
  ~Impl() { pthreadpool_destroy(pool); }
};

ThreadPool::ThreadPool(int threads) : threads_(threads > 0 ? threads : cores_of_this_process()) {
  if (threads_ == 1) return;
  impl_ = std::make_unique<Impl>();
  impl_->pool = pthreadpool_create(static_cast<std::size_t>(threads_));
  if (impl_->pool == nullptr) {  // the system grants no threads: run in the caller's
    impl_.reset();
    threads_ = 1;
  }
}

ThreadPool::~ThreadPool() = default;

void ThreadPool::run(std::int64_t count, std::int64_t grain, RangeFn fn, const void* task) {
  if (count <= 0) return;
  grain = std::max<std::int64_t>(grain, 1);
  if (threads_ == 1 || count <= grain) {
    fn(task, 0, count);
    return;
  }
  const std::int64_t ranges = threads_ * kRangesPerThread;
  const std::int64_t even = (count + ranges - 1) / ranges;
  const std::int64_t range = (even + grain - 1) / grain * grain;
  struct Call {
    RangeFn fn;
    const void* task;
  } call{fn, task};
  give_order(&call);
  pthreadpool_parallelize_1d_tile_1d(
      impl_->pool,
      [](void* argument, std::size_t begin, std::size_t length) {
        const auto* c = static_cast<const Call*>(argument);
        take_order(c);
        c->fn(c->task, static_cast<std::int64_t>(begin), static_cast<std::int64_t>(begin + length));
        give_order(c);
      },
      &call, static_cast<std::size_t>(count), static_cast<std::size_t>(range), 0);
  take_order(&call);
}

}  // namespace pbatch
