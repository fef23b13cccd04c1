#include "base/fork.h"

#include <pthread.h>

#include <atomic>

namespace pbatch {
namespace {

std::atomic<std::uint32_t> generation{0};

std::mutex& mutex() {
  static auto* const never_destroyed = new std::mutex;
  return *never_destroyed;
}

// Once, before the first use of either.
void watch_forks() {
  static const int registered = pthread_atfork([] { mutex().lock(); }, [] { mutex().unlock(); },
                                               [] {
                                                 generation.fetch_add(1, std::memory_order_relaxed);
                                                 mutex().unlock();
                                               });
  static_cast<void>(registered);
}

}  // namespace

std::uint32_t fork_generation() {
  watch_forks();
  return generation.load(std::memory_order_relaxed);
}

std::mutex& fork_mutex() {
  watch_forks();
  return mutex();
}

void before_fork(void (*prepare)()) { pthread_atfork(prepare, nullptr, nullptr); }

}  // namespace pbatch
