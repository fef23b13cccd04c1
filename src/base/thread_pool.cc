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
#include "base/fork.h"

namespace pbatch {
namespace {

constexpr std::size_t kCacheLine = 64;
// Calls that can be helped at the same time; more run in their callers alone.
constexpr std::size_t kJobs = 4;
using Clock = std::chrono::steady_clock;
// A thread without work stays awake this long, which bridges the gaps between
// the layers of a network, and sleeps then.
constexpr auto kAwake = std::chrono::microseconds(50);
// Until a thread that sleeps has been woken and comes: what is shorter, the caller does alone.
constexpr auto kWaking = std::chrono::microseconds(20);
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
  const auto end = Clock::now() + kAwake;
  do {
    sched_yield();
    for (int i = 0; i < kPauses; ++i, pause_briefly()) {
      if (done()) return true;
    }
  } while (Clock::now() < end);
  return false;
}

/// Units of work, begin .. end - 1, that threads take from until it is empty.
class alignas(kCacheLine) Share {
 public:
  using Units = std::pair<std::uint32_t, std::uint32_t>;

  void fill(std::uint32_t begin, std::uint32_t end) {
    units_.store(pack(begin, end), std::memory_order_relaxed);
  }
  /// The owner takes three quarters of what is left from the front, others half of it from the
  /// back, and nobody more than `most`: few pieces, for each costs about 0.1 us, and small ones at
  /// the end, where threads must finish together. Empty if nothing is left.
  Units take(bool front, std::uint32_t most = UINT32_MAX) {
    std::uint64_t now = units_.load(std::memory_order_relaxed);
    for (;;) {
      const auto begin = static_cast<std::uint32_t>(now),
                 end = static_cast<std::uint32_t>(now >> 32);
      if (begin >= end) return {0, 0};
      const std::uint32_t left_over = (end - begin) / (front ? 4 : 2);
      const std::uint32_t size = std::min(end - begin - left_over, most);
      const Units taken = front ? Units{begin, begin + size} : Units{end - size, end};
      const std::uint64_t left = front ? pack(begin + size, end) : pack(begin, end - size);
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

  bool work_on(Share::Units units) const {
    const auto [begin, end] = units;
    if (begin == end) return false;
    fn(task, begin * grain, std::min(end * grain, count));
    return true;
  }

  /// Works until nothing is left that others have not begun.
  void work(std::size_t thread) {
    for (std::size_t i = 0; i < shares.size(); ++i) {
      Share& share = shares[(thread + i) % shares.size()];
      while (work_on(share.take(i == 0))) {
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
  // Threads that do not sleep. Only a hint.
  alignas(kCacheLine) std::atomic<int> awake{0};
  // Calls that nobody was woken for, one soon after the other: when the first began, the last
  // ended.
  std::atomic<Clock::rep> alone_since{0}, alone_until{0};
  const std::uint32_t generation = fork_generation();
  std::vector<std::thread> workers;

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

  /// Thread t to cpus[t], the caller being the first; nothing if there are none.
  Status pin(const std::vector<int>& cpus) {
    for (std::size_t t = 1; t < cpus.size() && t <= workers.size(); ++t) {
      PBATCH_RETURN_IF_ERROR(pin_thread(workers[t - 1].native_handle(), cpus[t]));
    }
    return Status::ok();
  }

  void serve(std::size_t thread) {
    awake.fetch_add(1, std::memory_order_relaxed);
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
      if (more && !resting.load(std::memory_order_relaxed)) continue;
      awake.fetch_sub(1, std::memory_order_relaxed);
      news.wait(seen);
      awake.fetch_add(1, std::memory_order_relaxed);
    }
  }

  /// Calls as many threads as have something to do, first those that are awake.
  void call(int helpers) {
    if (resting.load(std::memory_order_relaxed)) resting.store(false, std::memory_order_relaxed);
    int missing = helpers - awake.load(std::memory_order_relaxed);
    news.fetch_add(1);
    if (missing > 0 && static_cast<std::size_t>(helpers) == workers.size()) {
      news.notify_all();
      return;
    }
    for (; missing > 0; --missing) news.notify_one();
  }

  /// All threads sleep: does the first unit, from which it tells whether the
  /// rest, with calls like it just before, would be done before one came.
  bool worth_waking(Job& job, std::uint32_t units) {
    const Clock::rep begin = Clock::now().time_since_epoch().count();
    job.work_on(job.shares[0].take(true, 1));
    const Clock::rep end = Clock::now().time_since_epoch().count();
    const Clock::rep expected = begin + (end - begin) * units;
    constexpr Clock::rep kSoon = Clock::duration(kAwake).count();
    constexpr Clock::rep kLong = Clock::duration(kWaking).count();
    if (begin - alone_until.load(std::memory_order_relaxed) > kSoon) {
      alone_since.store(begin, std::memory_order_relaxed);
    }
    alone_until.store(expected, std::memory_order_relaxed);
    return expected - alone_since.load(std::memory_order_relaxed) > kLong;
  }

  Job* take_job() {
    const auto job = std::find_if(jobs.begin(), jobs.end(), [](Job& j) { return j.take(); });
    return job == jobs.end() ? nullptr : &*job;
  }
};

ThreadPool::ThreadPool(int threads)
    : threads_(std::min(threads > 0 ? threads : usable_cpu_count(), kMaxThreads)) {
  if (threads_ == 1) return;
  auto impl = std::make_unique<Impl>();
  if (!impl->start(threads_)) threads_ = 1 + static_cast<int>(impl->workers.size());
  impl_ = impl.release();
}

ThreadPool::~ThreadPool() {
  Impl* const impl = impl_;
  // Threads that were left behind in another process cannot be joined: their records stay.
  if (impl != nullptr && impl->generation == fork_generation()) delete impl;
}

ThreadPool::Impl& ThreadPool::impl() {
  Impl* now = impl_.load(std::memory_order_acquire);
  if (now->generation == fork_generation()) return *now;
  const std::lock_guard lock(fork_mutex());
  now = impl_.load(std::memory_order_acquire);
  if (now->generation == fork_generation()) return *now;
  auto made = std::make_unique<Impl>();
  made->start(threads_);  // with fewer threads their callers do more
  static_cast<void>(made->pin(cpus_));
  impl_.store(made.get(), std::memory_order_release);
  return *made.release();
}

Result<std::shared_ptr<ThreadPool>> ThreadPool::create(const ThreadPoolOptions& options) {
  const int cpus = static_cast<int>(options.cpus.size());
  for (const int threads : {options.threads, cpus}) {
    if (threads >= 0 && threads <= kMaxThreads) continue;
    return Status(ErrorCode::invalid_argument,
                  "a pool of " + std::to_string(threads) + " threads is out of range",
                  "use 1 to " + std::to_string(kMaxThreads) + ", or 0 for one per CPU");
  }
  PBATCH_RETURN_IF_ERROR(check_cpus(options.cpus));
  const int threads = options.threads > 0 ? options.threads : cpus;
  auto pool = std::make_shared<ThreadPool>(threads);
  if (threads > 0 && pool->threads() < threads) {
    return Status(ErrorCode::unsupported,
                  "the system grants " + std::to_string(pool->threads()) + " of " +
                      std::to_string(threads) + " threads",
                  "use fewer, or raise the limit (ulimit -u)");
  }
  if (cpus > 0) PBATCH_RETURN_IF_ERROR(pool->pin(options.cpus));
  return pool;
}

Status ThreadPool::pin(const std::vector<int>& cpus) {
  const auto threads = static_cast<std::size_t>(threads_);
  if (cpus.size() != threads) {
    return {ErrorCode::invalid_argument,
            std::to_string(threads) + " threads and " + std::to_string(cpus.size()) +
                " CPUs do not go together",
            "name one CPU for each thread, or leave the number of threads out"};
  }
  PBATCH_RETURN_IF_ERROR(check_cpus(cpus));
  cpus_ = cpus;
  return threads_ == 1 ? Status::ok() : impl().pin(cpus);
}

void ThreadPool::run(std::int64_t count, std::int64_t grain, RangeFn fn, const void* task) {
  if (count <= 0) return;
  grain = std::max<std::int64_t>(grain, 1);
  if (threads_ == 1 || count <= grain) {
    fn(task, 0, count);
    return;
  }
  Impl& crew = impl();
  Job* const job = crew.take_job();
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
  if (crew.awake.load(std::memory_order_relaxed) > 0 || crew.worth_waking(*job, units)) {
    crew.call(static_cast<int>(std::min(units, threads)) - 1);
  }
  job->work(0);
  job->close();
}

int ThreadPool::lend() {
  if (threads_ > 1) impl().resting.store(true, std::memory_order_relaxed);
  return threads_;
}

Result<std::shared_ptr<ThreadPool>> make_thread_pool(const ThreadPoolOptions& options) {
  return ThreadPool::create(options);
}

int thread_count(const ThreadPool& pool) { return pool.threads(); }

}  // namespace pbatch
