#include "thread_pool.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/vector.h>

#include "bindings.h"
#include "status.h"

namespace nb = nanobind;

namespace pbatch::python {

void bind_thread_pool(nb::module_& m) {
  nb::class_<PyThreadPool> c(
      m, "ThreadPool",
      "Threads that several sessions share, or that run on chosen CPUs. Without work they "
      "sleep.\n\n"
      ">>> options = pbatch.SessionOptions()\n>>> options.pool = pbatch.ThreadPool(threads=2)\n"
      ">>> one = pbatch.InferenceSession(\"net.onnx\", options)\n"
      ">>> two = pbatch.InferenceSession(\"net.onnx\", options)\n>>> one.threads, two.threads\n"
      "(2, 2)");
  c.def(
      "__init__",
      [](PyThreadPool* self, int threads, std::vector<int> cpus) {
        auto pool = take(make_thread_pool({.threads = threads, .cpus = std::move(cpus)}));
        new (self) PyThreadPool{std::move(pool)};
      },
      nb::kw_only(), nb::arg("threads") = 0, nb::arg("cpus") = std::vector<int>{},
      "``threads``: the calling one included; 0: one per CPU, of ``cpus`` or of all. ``cpus``: "
      "where "
      "each runs.\nRaises InvalidArgumentError for CPUs that the process may not use.");
  c.def_prop_ro(
      "threads", [](const PyThreadPool& pool) { return thread_count(*pool.native); },
      "The calling thread included.");
}

}  // namespace pbatch::python
