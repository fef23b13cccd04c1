// Element types: from what a file holds to what a network takes.
#pragma once

#include "pbatch/status.h"
#include "pbatch/tensor.h"

namespace pbatch {

/// The tensor with elements of type `to`: float32 or float64, an integer or bool.
/// Integers and bool convert when every value is kept exactly; floats convert
/// to floats when no finite value overflows. Anything else is an error that
/// names both types, or the first value that does not fit.
Result<Tensor> convert_tensor(const Tensor& tensor, DType to);

/// float32 of any tensor, divided by `divisor` (IDX pixels: 255).
Result<Tensor> scaled_to_float(const Tensor& tensor, float divisor);

/// One element as a double, for statistics. Precondition: index < size().
double element_as_double(const Tensor& tensor, std::int64_t index);

}  // namespace pbatch
