// Conversion to element types that are held as wider ones (graph/narrow_types.h).
#pragma once

#include "graph/narrow_types.h"
#include "op/op.h"
#include "pbatch/tensor.h"

namespace pbatch {

/// The elements as values of `type`, which must be one that is rounded to, held as type.held. A
/// float becomes the nearest value of a float type (`saturate` as nearest_narrow() says); for an
/// integer type it is truncated and stops at the ends of its range. Integers keep their lowest
/// bits.
StepPlan plan_convert_narrow(const Tensor& x, const NarrowType& type, bool saturate);

}  // namespace pbatch
