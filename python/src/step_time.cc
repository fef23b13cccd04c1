// StepTime: what one step of a run took.
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bindings.h"
#include "pbatch/session.h"

namespace nb = nanobind;

namespace pbatch::python {

void bind_step_time(nb::module_& m) {
  nb::class_<StepTime> c(m, "StepTime", "What a step of a run took: medians over some runs.");
  c.def_ro("node", &StepTime::node);
  c.def_ro("op_type", &StepTime::op_type);
  c.def_ro("kernel", &StepTime::kernel, "As in PlanStep.");
  c.def_ro("us", &StepTime::us, "Wall time, in microseconds.");
  c.def_ro("quantize_us", &StepTime::quantize_us,
           "Quantizing the activations of a product of bit-layers, added up over the threads; 0 "
           "elsewhere.");
  c.def_ro("product_us", &StepTime::product_us, "The product itself, in the same way.");
  c.def_ro("epilogue_us", &StepTime::epilogue_us, "Scales, bias and what is fused behind it.");
  c.def_ro("predicted_us", &StepTime::predicted_us, "By the table of kernel costs; 0: unknown.");
  c.def_ro("weight_bytes", &StepTime::weight_bytes, "As in PlanStep.");
  c.def_ro("macs", &StepTime::macs, "Multiplications with its matrix, of all its steps.");
  c.def("__repr__", [](const StepTime& s) {
    return "StepTime(node='" + s.node + "', op_type='" + s.op_type + "', kernel='" + s.kernel +
           "', us=" + std::to_string(s.us) + ")";
  });
}

}  // namespace pbatch::python
