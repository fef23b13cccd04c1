// Pooling: what a window makes of the elements that it sees.
#pragma once

#include <vector>

#include "op/step.h"
#include "product/conv_geometry.h"

namespace pbatch {

enum class Pooling {
  max,                   ///< NaN wins
  average,               ///< of the elements that fall on the input
  average_with_padding,  ///< padding counts as zeros; what lies behind it does not count
  sum,
};

/// The step for x [batch][channels][in...] -> y [batch][channels][out...], both in `layout` and of
/// `type`: f32, or for max also i8 and u8. unsupported over more than 3 dimensions, or if a window
/// sees nothing of the input.
Result<StepPlan> plan_pooling(Pooling pooling, ConvGeometry geometry, DType type, Layout layout);

}  // namespace pbatch
