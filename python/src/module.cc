// The module pbatch._core.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bindings.h"
#include "gil.h"
#include "pbatch/device.h"
#include "pbatch/isa.h"
#include "precision.h"
#include "run_options.h"
#include "session_options.h"
#include "status.h"

namespace nb = nanobind;

NB_MODULE(_core, m) {
  using namespace pbatch::python;
  nb::set_leak_warnings(false);  // threads that the exit cuts off still hold sessions
  m.attr("version") = PBATCH_VERSION;
  bind_gil(m);
  bind_layer(m);
  bind_layer_report(m);
  bind_node_arg(m);
  bind_plan_step(m);
  bind_step_time(m);
  bind_thread_pool(m);
  bind_session_options(m);
  bind_run_options(m);
  bind_precision(m);
  bind_model(m);
  bind_quantize(m);
  bind_session(m);
  bind_cascade(m);
  bind_weight_memory(m);
  m.def("device_names", &pbatch::device_names,
        "What ``device`` may be: \"cpu\", the devices that this library knows, whether or not they "
        "are "
        "there, and \"auto\".\n\n>>> pbatch.device_names()[0]\n'cpu'");
  m.def("compiled_isas", &pbatch::compiled_isas,
        "Names of the instruction sets that there are kernels for, slowest first.");
  m.def(
      "active_isa", [] { return take(pbatch::active_isa()); },
      "The instruction set in use: the best that this CPU runs, or the one that PBATCH_ISA "
      "names.\n\n>>> pbatch.active_isa() in pbatch.compiled_isas()\nTrue");
}
