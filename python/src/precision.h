// Precisions as Python writes them: bits, abits and layers.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>

#include <optional>

#include "pbatch/precision.h"

namespace pbatch::python {

/// One precision as its parts; what is not there has the default.
struct PrecisionParts {
  std::optional<int> bits, abits;
  nanobind::object layers;  // None, or {name: bits} or {name: (bits, abits)}
};

/// Overwrites what `parts` has in `precision`. Raises if `layers` is none of these.
void apply(const PrecisionParts& parts, Precision* precision);

/// The precision of the `with pbatch.precision(...)` around the caller; else the default.
Precision precision_of_block();

/// _read_blocks_by(get): what tells (bits, abits, layers) of the block around its caller, or None.
void bind_precision(nanobind::module_& m);

}  // namespace pbatch::python
