// NodeArg: an input or output of a network.
#include <nanobind/stl/string.h>

#include "bindings.h"
#include "dtype.h"
#include "pbatch/session.h"

namespace nb = nanobind;

namespace pbatch::python {
namespace {

nb::list shape_of(const PortInfo& port) {
  nb::list shape;
  for (const std::int64_t d : port.shape) {
    if (d < 0) {
      shape.append(nb::none());
    } else {
      shape.append(d);
    }
  }
  return shape;
}

std::string text_of(const PortInfo& port) {
  return "NodeArg(name='" + port.name + "', type='" + onnxruntime_name(port.dtype) +
         "', shape=" + nb::cast<std::string>(nb::str(shape_of(port))) + ")";
}

}  // namespace

void bind_node_arg(nb::module_& m) {
  nb::class_<PortInfo> c(m, "NodeArg", "An input or output of a network.");
  c.def_ro("name", &PortInfo::name);
  c.def_prop_ro(
      "type", [](const PortInfo& port) { return onnxruntime_name(port.dtype); },
      "The element type in onnxruntime's words, e.g. \"tensor(float)\".");
  c.def_prop_ro(
      "dtype", [](const PortInfo& port) { return std::string(dtype_name(port.dtype)); },
      "The element type in numpy's words, e.g. \"float32\".");
  c.def_prop_ro("shape", &shape_of, nb::sig("def shape(self) -> list[int | None]"),
                "Dimensions, outermost first; None is free.");
  c.def_ro("optional", &PortInfo::optional, "Whether it has a value where none is fed.");
  c.def("__repr__", &text_of);
}

}  // namespace pbatch::python
