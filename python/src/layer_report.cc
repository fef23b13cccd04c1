// LayerReport: what quantization made of one matrix.
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bindings.h"
#include "pbatch/quantize.h"

namespace nb = nanobind;

namespace pbatch::python {

void bind_layer_report(nb::module_& m) {
  nb::class_<LayerReport> c(m, "LayerReport", "What became of one matrix.");
  c.def_ro("name", &LayerReport::name, "The node's name.");
  c.def_ro("op_type", &LayerReport::op_type, "MatMul, Conv, Recurrent or Gather.");
  c.def_ro("rows", &LayerReport::rows);
  c.def_ro("cols", &LayerReport::cols);
  c.def_ro("quantized", &LayerReport::quantized);
  c.def_ro("reason", &LayerReport::reason, "Why it stayed float; empty if quantized.");
  c.def_ro("planes", &LayerReport::planes);
  c.def_ro("sqnr_db", &LayerReport::sqnr_db,
           "Signal to quantization noise at 1, 2, … bits, in decibels.");
  c.def_ro("plane_bytes", &LayerReport::plane_bytes, "Bytes of one bit-layer.");
  c.def_ro("scale_bytes", &LayerReport::scale_bytes, "Bytes of all scales and outliers.");
  c.def_ro("outliers", &LayerReport::outliers, "Weights that are kept apart from the codes.");
  c.def_ro("float_bytes", &LayerReport::float_bytes, "Bytes of the matrix before, as float32.");
  c.def_ro("compensated", &LayerReport::compensated,
           "Whether its codes make up for each other's errors.");
  c.def_ro("output_gain_db", &LayerReport::output_gain_db,
           "What its outputs gained on plain codes at 1, 2, … bits, in decibels; empty unless "
           "compensated.");
  c.def_ro("min_weight_bits", &LayerReport::min_weight_bits,
           "Bits that runs read at least, unless ``layers`` names the layer.");
  c.def("__repr__", [](const LayerReport& l) {
    return "LayerReport(name='" + l.name + "', op_type='" + l.op_type +
           "', rows=" + std::to_string(l.rows) + ", cols=" + std::to_string(l.cols) +
           ", quantized=" + (l.quantized ? "True" : "False") + ")";
  });
}

}  // namespace pbatch::python
