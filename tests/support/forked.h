// What holds in a process that was forked off.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "tests/support/sanitizers.h"

// ThreadSanitizer ends processes that start threads after a fork.
#if defined(PBATCH_TSAN)
#define PBATCH_SKIP_FORKS() GTEST_SKIP() << "ThreadSanitizer does not follow forks"
#else
#define PBATCH_SKIP_FORKS() static_cast<void>(0)
#endif

namespace pbatch::testing {

/// Calls `works` in a child of this process: "" if it returns true, else what happened. One that
/// hangs is ended after some seconds.
template <class Works>
std::string in_a_fork(const Works& works) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);
    _exit(works() ? 0 : 1);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) return "no child";
  if (WIFSIGNALED(status)) return "signal " + std::to_string(WTERMSIG(status));
  return WEXITSTATUS(status) == 0 ? "" : "wrong";
}

}  // namespace pbatch::testing
