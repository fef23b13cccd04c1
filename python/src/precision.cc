#include "precision.h"

#include <string>

#include "dictionary.h"
#include "status.h"

namespace nb = nanobind;

namespace pbatch::python {
namespace {

[[noreturn]] void raise_bad_layer(nb::handle name) {
  raise_invalid("layers[" + nb::cast<std::string>(nb::repr(name)) + "] is no precision",
                "write {name: bits} or {name: (bits, abits)}");
}

// ContextVar.get of pbatch/_precision.py, for which the stable ABI has no function. It lives as
// long as the process.
PyObject* get_block = nullptr;

LayerPrecision read_layer(nb::handle name, nb::handle value, int default_abits) {
  LayerPrecision read{0, default_abits};
  if (nb::try_cast(value, read.weight_bits)) return read;
  if (!nb::isinstance<nb::tuple>(value) && !nb::isinstance<nb::list>(value)) raise_bad_layer(name);
  const nb::sequence pair = nb::borrow<nb::sequence>(value);
  if (nb::len(pair) != 2 || !nb::try_cast(pair[0], read.weight_bits) ||
      !nb::try_cast(pair[1], read.activation_bits)) {
    raise_bad_layer(name);
  }
  return read;
}

}  // namespace

void apply(const PrecisionParts& parts, Precision* precision) {
  if (parts.bits) precision->all.weight_bits = *parts.bits;
  if (parts.abits) precision->all.activation_bits = *parts.abits;
  if (!parts.layers.is_valid() || parts.layers.is_none()) return;
  if (!nb::isinstance<nb::dict>(parts.layers)) {
    raise_invalid("'layers' is no dictionary", "write {name: bits} or {name: (bits, abits)}");
  }
  for (const auto& [name, value] : snapshot(parts.layers)) {
    std::string key;
    if (!nb::try_cast(name, key)) raise_bad_layer(name);
    precision->layers[key] = read_layer(name, value, precision->all.activation_bits);
  }
}

Precision precision_of_block() {
  Precision precision;
  if (get_block == nullptr) return precision;
  const nb::object block = nb::steal(PyObject_CallNoArgs(get_block));
  if (!block.is_valid()) nb::raise_python_error();
  if (block.is_none()) return precision;
  const nb::tuple parts = nb::cast<nb::tuple>(block);
  apply({nb::cast<std::optional<int>>(parts[0]), nb::cast<std::optional<int>>(parts[1]), parts[2]},
        &precision);
  return precision;
}

void bind_precision(nb::module_& m) {
  m.def(
      "_read_blocks_by",
      [](const nb::object& get) {
        Py_XDECREF(get_block);
        get_block = nb::object(get).release().ptr();
      },
      nb::arg("get"));
}

}  // namespace pbatch::python
