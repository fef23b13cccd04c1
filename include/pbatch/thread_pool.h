// Threads that several sessions share, or that run on chosen CPUs.
#pragma once

#include <memory>
#include <vector>

#include "pbatch/export.h"
#include "pbatch/status.h"

namespace pbatch {

/// The greatest number of threads of a pool.
inline constexpr int kMaxThreads = 1024;

struct ThreadPoolOptions {
  /// The calling thread is one of them; 0: one per CPU of `cpus`, or else per
  /// CPU that the process may use.
  int threads = 0;
  /// Empty: the operating system places the threads. Else the CPU of each, all
  /// different. The first belongs to the calling thread, which is never moved:
  /// place it yourself, or leave it to the operating system.
  std::vector<int> cpus;
};

/// Threads that wait for work: for at most some tens of microseconds awake,
/// then asleep. Any number of sessions and threads may use a pool at once;
/// each works on its own call, helped by the pool's threads that are free.
class ThreadPool;

/// invalid_argument for a number of threads that is out of range or not that of
/// `cpus`, a CPU named twice, and one that the process may not use;
/// unsupported if the system grants fewer threads; io if it does not place them. Thread-safe. The
/// threads end with the last reference, which sessions hold, too.
PBATCH_API Result<std::shared_ptr<ThreadPool>> make_thread_pool(
    const ThreadPoolOptions& options = {});

/// The threads that work on one call, the calling one included. Thread-safe.
PBATCH_API int thread_count(const ThreadPool& pool);

}  // namespace pbatch
