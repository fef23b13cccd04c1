// Element type conversion.
#pragma once

#include "op/op.h"
#include "pbatch/tensor.h"

namespace pbatch {

/// The elements as `type`. Floats become integers by truncation; those that do
/// not fit become the nearest that does, and NaN 0. Integers keep their low
/// bits. Numbers become bool as "is not zero". Same type: an alias.
StepPlan plan_convert(const Tensor& x, DType type);

/// The same at once.
Result<Tensor> convert(const RunContext& context, const Tensor& x, DType type);

}  // namespace pbatch
