// The library at work while other Python threads go on.
#pragma once

#include <nanobind/nanobind.h>

#include <utility>

namespace pbatch::python {

/// Lets go of the GIL. If the interpreter is about to exit and this is not its main thread, raises
/// SystemExit, which ends a thread without a word: one that is cut off while it prints a traceback
/// holds the lock of stderr, and CPython aborts over that.
PyThreadState* leave_python();
/// Takes it back. Where the interpreter has gone meanwhile, the thread stops here for good: what
/// CPython does to it up to 3.13, to unwind its stack, would end the process.
void return_to_python(PyThreadState* state);

/// What `work`, which must not touch Python, returns.
template <class Work>
auto without_gil(Work&& work) {
  PyThreadState* const state = leave_python();
  try {
    auto result = std::forward<Work>(work)();
    return_to_python(state);
    return result;
  } catch (...) {
    return_to_python(state);
    throw;
  }
}

/// _await_runs(exiting): waits until no other thread is in the library. Before the interpreter
/// exits, and before the process forks: a lock that another thread holds then is held in the child
/// for ever.
void bind_gil(nanobind::module_& m);

}  // namespace pbatch::python
