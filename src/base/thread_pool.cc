#include "base/thread_pool.h"

#include <sched.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/cpus.h"

namespace pbatch {
namespace {

constexpr std::size_t kCacheLine = 64;
// Calls that can be helped at the same time; more run in their callers alone.
constexpr std::size_t kJobs = 4;
// A thread without work stays awake this long, which bridges the gaps between
// the layers of a network, and sleeps then.
constexpr auto kAwake = std::chrono::microseconds(50);
constexpr std::int64_t kMaxUnits = std::int64_t{1} << 31;

void pause_briefly() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb");
#endif
}

/// Waits awake until done() is true, or for kAwake; from the first microseconds
/// on it gives way to every thread that wants the core.
template <class Done>
bool stay_awake(const Done& done) {
  constexpr int kPauses = 32;
  for (int i = 0; i < kPauses; ++i, pause_briefly()) {
    if (done()) return true;
  }
  const auto end = std::chrono::steady_clock::now() + kAwake;
  do {
    sched_yield();
    for (int i = 0; i < kPauses; ++i, pause_briefly()) {
      if (done()) return true;
    }
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

/// Units of work, begin .. end - 1, that threads take from until it is empty.
class alignas(kCacheLine) Share {
 public:
  using Units = std::pair<std::uint32_t, std::uint32_t>;

  void fill(std::uint32_t begin, std::uint32_t end) {
    units_.store(pack(begin, end), std::memory_order_relaxed);
  }
  /// Half of what is left: large pieces first, small ones when threads must finish together.
  /// Its owner takes from the front, others from the back. Empty if nothing is left.
  Units take(bool front) {
    std::uint64_t now = units_.load(std::memory_order_relaxed);
    for (;;) {
      const auto begin = static_cast<std::uint32_t>(now),
                 end = static_cast<std::uint32_t>(now >> 32);
      if (begin >= end) return {0, 0};
      const std::uint32_t half = (end - begin + 1) / 2;
      const Units taken = front ? Units{begin, begin + half} : Units{end - half, end};
      const std::uint64_t left = front ? pack(begin + half, end) : pack(begin, end - half);
      if (units_.compare_exchange_weak(now, left, std::memory_order_relaxed)) return taken;
    }
  }

 private:
  static std::uint64_t pack(std::uint32_t begin, std::uint32_t end) {
    return std::uint64_t{end} << 32 | begin;
  }
  std::atomic<std::uint64_t> units_{0};
};

}  // namespace

/// One call that is under way. The gate says who may touch it: the caller that
/// took it, and threads that found a free seat. Only while there are neither
/// seats nor threads at work does the caller write the other members.
struct alignas(kCacheLine) ThreadPool::Job {
  static constexpr std::uint32_t kAtWork = 1, kAtWorkMask = 0xfff, kSeat = 0x1000,
                                 kSeatMask = 0xfff000, kTaken = 1U << 31;

  std::atomic<std::uint32_t> gate{0};
  RangeFn fn = nullptr;
  const void* task = nullptr;
  std::int64_t count = 0, grain = 0;
  std::vector<Share> shares;  // one per thread

  bool take() {
    std::uint32_t free = 0;
    return gate.load(std::memory_order_relaxed) == 0 &&
           gate.compare_exchange_strong(free, kTaken, std::memory_order_acquire);
  }

  void open(std::uint32_t units, std::uint32_t threads) {
    const std::uint32_t parts = std::min(units, threads);
    for (std::uint64_t t = 0; t < parts; ++t) {
      shares[t].fill(static_cast<std::uint32_t>(units * t / parts),
                     static_cast<std::uint32_t>(units * (t + 1) / parts));
    }
    gate.store(kTaken | (parts - 1) * kSeat, std::memory_order_release);
  }

  bool join() {
    std::uint32_t now = gate.load(std::memory_order_relaxed);
    while ((now & kSeatMask) != 0) {
      if (gate.compare_exchange_weak(now, now - kSeat + kAtWork, std::memory_order_acquire)) {
        return true;
      }
    }
    return false;
  }

  /// Works until nothing is left that others have not begun.
  void work(std::size_t thread) {
    for (std::size_t i = 0; i < shares.size(); ++i) {
      Share& share = shares[(thread + i) % shares.size()];
      for (;;) {
        const auto [begin, end] = share.take(i == 0);
        if (begin == end) break;
        fn(task, begin * grain, std::min(end * grain, count));
      }
    }
  }

  /// A thread that joined goes, and since nothing is left nobody needs to come.
  void leave() {
    std::uint32_t now = gate.load(std::memory_order_relaxed);
    while (!gate.compare_exchange_weak(now, (now & ~kSeatMask) - kAtWork)) {
    }
    if ((now & kAtWorkMask) == kAtWork) gate.notify_all();
  }

  /// Ends the call: nobody comes any more, those at work have finished.
  void close() {
    gate.fetch_and(~kSeatMask, std::memory_order_relaxed);
    const auto alone = [this] { return (gate.load(std::memory_order_acquire) & kAtWorkMask) == 0; };
    if (!stay_awake(alone)) {
      for (std::uint32_t now = gate.load(); (now & kAtWorkMask) != 0; now = gate.load()) {
        gate.wait(now);
      }
    }
    gate.store(0, std::memory_order_release);
  }
};

struct ThreadPool::Impl {
  std::array<Job, kJobs> jobs;
  // Counts what threads may have to look at; they sleep on it.
  alignas(kCacheLine) std::atomic<std::uint32_t> news{0};
  std::atomic<bool> resting{false}, stopping{false};
  alignas(kCacheLine) std::vector<std::thread> workers;

  ~Impl() {
    stopping.store(true);
    news.fetch_add(1);
    news.notify_all();
    for (std::thread& worker : workers) worker.join();
  }

  /// False if the system grants no more threads.
  bool start(int threads) {
    for (Job& job : jobs) job.shares = std::vector<Share>(static_cast<std::size_t>(threads));
    try {
      for (int t = 1; t < threads; ++t) {
        workers.emplace_back([this, t] { serve(static_cast<std::size_t>(t)); });
      }
    } catch (const std::system_error&) {
      return false;
    }
    return true;
  }

  void serve(std::size_t thread) {
    while (!stopping.load(std::memory_order_relaxed)) {
      const std::uint32_t seen = news.load(std::memory_order_acquire);
      for (Job& job : jobs) {
        if (!job.join()) continue;
        job.work(thread);
        job.leave();
      }
      const bool more = stay_awake([&] {
        return news.load(std::memory_order_acquire) != seen ||
               resting.load(std::memory_order_relaxed);
      });
      if (!more || resting.load(std::memory_order_relaxed)) news.wait(seen);
    }
  }

  /// Calls as many threads as have something to do.
  void call(std::uint32_t helpers) {
    if (resting.load(std::memory_order_relaxed)) resting.store(false, std::memory_order_relaxed);
    news.fetch_add(1);
    if (helpers >= workers.size()) {
      news.notify_all();
    } else {
      for (; helpers > 0; --helpers) news.notify_one();
    }
  }

  Job* take_job() {
    const auto job = std::find_if(jobs.begin(), jobs.end(), [](Job& j) { return j.take(); });
    return job == jobs.end() ? nullptr : &*job;
  }
};

ThreadPool::ThreadPool(int threads)
    : threads_(std::min(threads > 0 ? threads : usable_cpu_count(), kMaxThreads)) {
  if (threads_ == 1) return;
  impl_ = std::make_unique<Impl>();
  if (!impl_->start(threads_)) threads_ = 1 + static_cast<int>(impl_->workers.size());
}

ThreadPool::~ThreadPool() = default;

Result<std::shared_ptr<ThreadPool>> ThreadPool::create(const ThreadPoolOptions& options) {
  const int cpus = static_cast<int>(options.cpus.size());
  for (const int threads : {options.threads, cpus}) {
    if (threads >= 0 && threads <= kMaxThreads) continue;
    return Status(ErrorCode::invalid_argument,
                  "a pool of " + std::to_string(threads) + " threads is out of range",
                  "use 1 to " + std::to_string(kMaxThreads) + ", or 0 for one per CPU");
  }
  if (cpus > 0 && options.threads > 0 && options.threads != cpus) {
    return Status(ErrorCode::invalid_argument,
                  std::to_string(options.threads) + " threads and " + std::to_string(cpus) +
                      " CPUs do not go together",
                  "name one CPU for each thread, or leave the number of threads out");
  }
  PBATCH_RETURN_IF_ERROR(check_cpus(options.cpus));
  const int threads = cpus > 0 ? cpus : options.threads;
  auto pool = std::make_shared<ThreadPool>(threads);
  if (threads > 0 && pool->threads() < threads) {
    return Status(ErrorCode::unsupported,
                  "the system grants " + std::to_string(pool->threads()) + " of " +
                      std::to_string(threads) + " threads",
                  "use fewer, or raise the limit (ulimit -u)");
  }
  for (int t = 1; t < cpus; ++t) {
    const auto i = static_cast<std::size_t>(t);
    PBATCH_RETURN_IF_ERROR(
        pin_thread(pool->impl_->workers[i - 1].native_handle(), {options.cpus[i]}));
  }
  return pool;
}

void ThreadPool::run(std::int64_t count, std::int64_t grain, RangeFn fn, const void* task) {
  if (count <= 0) return;
  grain = std::max<std::int64_t>(grain, 1);
  Job* const job = threads_ == 1 || count <= grain ? nullptr : impl_->take_job();
  if (job == nullptr) {
    fn(task, 0, count);
    return;
  }
  const auto units_of = [count](std::int64_t size) { return (count - 1) / size + 1; };
  if (units_of(grain) > kMaxUnits) grain *= (units_of(grain) - 1) / kMaxUnits + 1;
  const auto units = static_cast<std::uint32_t>(units_of(grain));
  job->fn = fn;
  job->task = task;
  job->count = count;
  job->grain = grain;
  const auto threads = static_cast<std::uint32_t>(threads_);
  job->open(units, threads);
  impl_->call(std::min(units, threads) - 1);
  job->work(0);
  job->close();
}

void ThreadPool::rest() {
  if (impl_ != nullptr) impl_->resting.store(true, std::memory_order_relaxed);
}

Result<std::shared_ptr<ThreadPool>> make_thread_pool(const ThreadPoolOptions& options) {
  return ThreadPool::create(options);
}

int thread_count(const ThreadPool& pool) { return pool.threads(); }

}  // namespace pbatch
