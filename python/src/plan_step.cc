// PlanStep: one node of a plan.
#include <nanobind/stl/string.h>

#include "bindings.h"
#include "pbatch/session.h"

namespace nb = nanobind;

namespace pbatch::python {

void bind_plan_step(nb::module_& m) {
  nb::class_<PlanStep> c(m, "PlanStep", "What a run does at one node.");
  c.def_ro("node", &PlanStep::node);
  c.def_ro("op_type", &PlanStep::op_type);
  c.def_ro("kernel", &PlanStep::kernel,
           "The kernel's name, \"rows\" for an embedding, or \"float\".");
  c.def_ro("weight_bits", &PlanStep::weight_bits);
  c.def_ro("activation_bits", &PlanStep::activation_bits);
  c.def_ro("rows", &PlanStep::rows);
  c.def_ro("cols", &PlanStep::cols);
  c.def_ro("weight_bytes", &PlanStep::weight_bytes, "Bytes of weights and scales read per run.");
  c.def_ro("repack", &PlanStep::repack,
           "The layout change done once before the first run; empty if none.");
  c.def("__repr__", [](const PlanStep& s) {
    return "PlanStep(node='" + s.node + "', op_type='" + s.op_type + "', kernel='" + s.kernel +
           "', weight_bits=" + std::to_string(s.weight_bits) +
           ", activation_bits=" + std::to_string(s.activation_bits) + ")";
  });
}

}  // namespace pbatch::python
