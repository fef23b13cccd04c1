// What fork() leaves of a process: memory and the calling thread, no other threads.
#pragma once

#include <cstdint>
#include <mutex>

namespace pbatch {

/// How many forks lie between the process that first asked and this one. Threads that were started
/// at another value do not exist here.
std::uint32_t fork_generation();

/// A lock that no other thread holds at the moment of a fork, so that the child can take it.
std::mutex& fork_mutex();

/// Calls `prepare` in a thread that is about to fork. Registered once a function; never undone.
void before_fork(void (*prepare)());

}  // namespace pbatch
