// Layer: a matrix held as bit-layers.
#include <nanobind/stl/string.h>

#include "bindings.h"
#include "pbatch/session.h"

namespace nb = nanobind;

namespace pbatch::python {

void bind_layer(nb::module_& m) {
  nb::class_<LayerInfo> c(m, "Layer", "A matrix held as bit-layers.");
  c.def_ro("name", &LayerInfo::name, "The key of ``layers={name: bits}``.");
  c.def_ro("op_type", &LayerInfo::op_type);
  c.def_ro("rows", &LayerInfo::rows);
  c.def_ro("cols", &LayerInfo::cols);
  c.def_ro("group", &LayerInfo::group, "Columns per scale; 0: whole rows.");
  c.def_ro("planes_stored", &LayerInfo::planes_stored, "Bit-layers as the model declares.");
  c.def_ro("planes_available", &LayerInfo::planes_available,
           "Bit-layers as the data file holds; fewer if it was cut.");
  c.def_ro("plane_bytes", &LayerInfo::plane_bytes, "Bytes of one bit-layer.");
  c.def_ro("scale_bytes", &LayerInfo::scale_bytes, "Bytes of all scales.");
  c.def_ro("min_weight_bits", &LayerInfo::min_weight_bits,
           "Bits that runs read at least, unless ``layers`` names the layer.");
  c.def("__repr__", [](const LayerInfo& l) {
    return "Layer(name='" + l.name + "', op_type='" + l.op_type +
           "', rows=" + std::to_string(l.rows) + ", cols=" + std::to_string(l.cols) +
           ", planes_available=" + std::to_string(l.planes_available) + ")";
  });
}

}  // namespace pbatch::python
