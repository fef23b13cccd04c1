// The bound on prepared weights.
#include "pbatch/weight_memory.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include <string>

#include "bindings.h"

namespace nb = nanobind;

namespace pbatch::python {

void bind_weight_memory(nb::module_& m) {
  nb::class_<WeightMemory> c(m, "WeightMemory",
                             "Weights in the form in which kernels read them, in all sessions of "
                             "the process.");
  c.def_ro("bytes", &WeightMemory::bytes,
           "In use, besides the models: scales and copies in kernels' layouts.");
  c.def_ro("limit", &WeightMemory::limit, "0: none.");
  c.def_ro("given_up", &WeightMemory::given_up,
           "How often a plan or a copy was given up for the limit.");
  c.def("__repr__", [](const WeightMemory& w) {
    return "WeightMemory(bytes=" + std::to_string(w.bytes) + ", limit=" + std::to_string(w.limit) +
           ", given_up=" + std::to_string(w.given_up) + ")";
  });
  m.def("weight_memory", &weight_memory, "What they take now.");
  m.def("limit_weight_memory", &limit_weight_memory, nb::arg("bytes"),
        "A bound for them, from now on and at once; 0 for none. Above it, what was used least "
        "recently is given up and made again when a run needs it.");
}

}  // namespace pbatch::python
