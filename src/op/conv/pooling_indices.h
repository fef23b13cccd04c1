// MaxPool that also says where each greatest element stands, for networks that undo it.
#pragma once

#include "op/step.h"
#include "product/conv_geometry.h"

namespace pbatch {

/// In which order the positions of an image are counted.
enum class IndexOrder { row_major, column_major };

/// The step for x [batch][channels][in...] -> y [batch][channels][out...] and, as int64, the place
/// of each element of y among all of x; of equals that of the first, of NaNs too. `type`: f32, i8,
/// u8. unsupported if a window sees nothing of the input.
Result<StepPlan> plan_max_pool_with_indices(const ConvGeometry& geometry, DType type,
                                            IndexOrder order);

}  // namespace pbatch
