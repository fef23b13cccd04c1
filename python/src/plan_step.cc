// PlanStep: one node of a plan.
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bindings.h"
#include "pbatch/session.h"

namespace nb = nanobind;

namespace pbatch::python {

void bind_plan_step(nb::module_& m) {
  nb::class_<PlanStep> c(m, "PlanStep", "What a run does at one node.");
  c.def_ro("node", &PlanStep::node);
  c.def_ro("op_type", &PlanStep::op_type);
  c.def_ro("kernel", &PlanStep::kernel,
           "The kernel's name, \"rows\" for an embedding, \"float\", or \"by data\".");
  c.def_ro("planned", &PlanStep::planned,
           "False: \"by data\", its shapes are known only in the run, which decides then.");
  c.def_prop_ro(
      "shape", [](const PlanStep& s) { return nb::tuple(nb::cast(s.shape)); },
      nb::sig("def shape(self) -> tuple[int, ...]"), "Of the first output, if planned.");
  c.def_ro("weight_bits", &PlanStep::weight_bits);
  c.def_ro("activation_bits", &PlanStep::activation_bits);
  c.def_ro("rows", &PlanStep::rows);
  c.def_ro("cols", &PlanStep::cols);
  c.def_ro("macs", &PlanStep::macs, "Multiplications with its matrix in a run; 0: unknown.");
  c.def_ro("weight_bytes", &PlanStep::weight_bytes, "Bytes of weights and scales read per run.");
  c.def_ro("repack", &PlanStep::repack,
           "The layout change done once before the first run; empty if none.");
  c.def_ro("predicted_us", &PlanStep::predicted_us, "By the table of kernel costs; 0: unknown.");
  c.def("__repr__", [](const PlanStep& s) {
    return "PlanStep(node='" + s.node + "', op_type='" + s.op_type + "', kernel='" + s.kernel +
           "', weight_bits=" + std::to_string(s.weight_bits) +
           ", activation_bits=" + std::to_string(s.activation_bits) + ")";
  });
}

}  // namespace pbatch::python
