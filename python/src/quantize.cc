// Quantization: files and bytes. pbatch/_quantize.py is what users call.
#include "pbatch/quantize.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <cstring>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "array.h"
#include "bindings.h"
#include "gil.h"
#include "model.h"
#include "status.h"

namespace nb = nanobind;

namespace pbatch::python {
namespace {

using NamedArrays = std::vector<std::pair<std::string, nb::object>>;
using NamedRanges = std::vector<std::tuple<std::string, double, double>>;

std::vector<InputRange> ranges_of(const NamedRanges& named) {
  std::vector<InputRange> ranges;
  for (const auto& [input, least, greatest] : named) ranges.push_back({input, least, greatest});
  return ranges;
}

// Copies: the options outlive the arrays.
std::vector<Sample> copy_samples(const NamedArrays& arrays) {
  std::vector<Sample> samples;
  for (const auto& [name, array] : arrays) {
    PortInfo port;
    port.name = name.empty() ? "samples" : name;
    const BorrowedArray borrowed = borrow_array(array, port);
    Tensor copy = take(Tensor::create(borrowed.tensor.dtype(), borrowed.tensor.shape()));
    std::memcpy(copy.mutable_raw(), borrowed.tensor.raw(), borrowed.tensor.bytes());
    samples.push_back({name, std::move(copy)});
  }
  return samples;
}

nb::tuple with_model(QuantizedBytes made) {
  return nb::make_tuple(std::move(made.report),
                        Model{std::make_shared<ModelBytes>(std::move(made.bytes))});
}

QuantizeReport to_file(const std::string& source, const std::string& path,
                       const QuantizeOptions& options) {
  return take(without_gil([&] { return quantize_file(source, path, options); }));
}

nb::tuple to_memory(const std::string& source, const QuantizeOptions& options) {
  return with_model(take(without_gil([&] { return quantize_to_bytes(source, options); })));
}

nb::tuple from_memory(const nb::bytes& source, const QuantizeOptions& options) {
  const std::string_view onnx(source.c_str(), source.size());
  return with_model(take(without_gil([&] { return quantize_bytes(onnx, options); })));
}

}  // namespace

void bind_quantize(nb::module_& m) {
  nb::class_<QuantizeOptions>(m, "QuantizeOptions")
      .def(
          "__init__",
          [](QuantizeOptions* self, int planes, int group, std::int64_t min_elements,
             std::vector<std::string> exclude, int threads, int floor_bits, double outliers,
             double row_sums, const std::string& scheme, const NamedArrays& samples,
             const NamedRanges& input_ranges) {
            new (self) QuantizeOptions{.planes = planes,
                                       .group = group,
                                       .min_elements = min_elements,
                                       .exclude = std::move(exclude),
                                       .threads = threads,
                                       .floor_bits = floor_bits,
                                       .outliers = outliers,
                                       .row_sums = row_sums,
                                       .scheme = take(parse_scheme(scheme)),
                                       .samples = copy_samples(samples),
                                       .input_ranges = ranges_of(input_ranges),
                                       .progress = {}};
          },
          nb::arg("planes"), nb::arg("group"), nb::arg("min_elements"), nb::arg("exclude"),
          nb::arg("threads"), nb::arg("floor_bits"), nb::arg("outliers"), nb::arg("row_sums"),
          nb::arg("scheme"), nb::arg("samples"), nb::arg("input_ranges"),
          nb::sig("def __init__(self, planes: int, group: int, min_elements: int, "
                  "exclude: Sequence[str], threads: int, floor_bits: int, outliers: float, "
                  "row_sums: float, scheme: str, "
                  "samples: Sequence[tuple[str, Any]], "
                  "input_ranges: Sequence[tuple[str, float, float]]) -> None"));
  nb::class_<QuantizeReport>(m, "QuantizeResult")
      .def_ro("layers", &QuantizeReport::layers)
      .def_ro("model_path", &QuantizeReport::model_path)
      .def_ro("data_path", &QuantizeReport::data_path)
      .def_ro("model_bytes", &QuantizeReport::model_bytes)
      .def_ro("data_bytes", &QuantizeReport::data_bytes)
      .def_ro("float_bytes", &QuantizeReport::float_bytes)
      .def_ro("statistics", &QuantizeReport::statistics)
      .def_ro("plain_reason", &QuantizeReport::plain_reason);
  m.attr("AUTO_GROUP") = kAutoGroup;
  m.def("quantize_file", &to_file, nb::arg("source"), nb::arg("path"), nb::arg("options"));
  m.def("quantize_to_memory", &to_memory, nb::arg("source"), nb::arg("options"),
        nb::sig("def quantize_to_memory(source: str, options: QuantizeOptions) -> "
                "tuple[QuantizeResult, Model]"));
  m.def("quantize_from_memory", &from_memory, nb::arg("source"), nb::arg("options"),
        nb::sig("def quantize_from_memory(source: bytes, options: QuantizeOptions) -> "
                "tuple[QuantizeResult, Model]"));
}

}  // namespace pbatch::python
