#include "gil.h"

#include <cxxabi.h>
#include <unistd.h>

#include <atomic>
#include <thread>

namespace nb = nanobind;

namespace pbatch::python {
namespace {

std::atomic<int> at_work{0};
std::atomic<bool> exiting{false};
std::thread::id exiting_thread;

void await_runs(bool for_exit) {
  if (for_exit) {
    exiting_thread = std::this_thread::get_id();
    exiting.store(true);
  }
  while (at_work.load() > 0) {
    PyThreadState* const state = PyEval_SaveThread();
    usleep(200);
    PyEval_RestoreThread(state);
  }
}

}  // namespace

PyThreadState* leave_python() {
  if (exiting.load() && std::this_thread::get_id() != exiting_thread) {
    PyErr_SetNone(PyExc_SystemExit);
    throw nb::python_error();
  }
  at_work.fetch_add(1);
  return PyEval_SaveThread();
}

void return_to_python(PyThreadState* state) {
  at_work.fetch_sub(1);
  try {
    PyEval_RestoreThread(state);
  } catch (abi::__forced_unwind&) {
    while (true) pause();
  }
}

void bind_gil(nb::module_& m) { m.def("_await_runs", &await_runs, nb::arg("exiting")); }

}  // namespace pbatch::python
