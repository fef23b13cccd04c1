// Pools whose window is the whole image.
#pragma once

#include <memory>

#include "op/conv/pooling.h"
#include "op/op.h"
#include "product/conv_geometry.h"

namespace pbatch {

/// GlobalMaxPool or GlobalAveragePool.
Result<std::unique_ptr<Op>> make_global_pool(const Node& node, Pooling pooling);

/// The kernel that covers an image [batch, channels, spatial...]; shape_mismatch if `x` is none.
Result<std::vector<std::int64_t>> whole_image(const Shape& x);

/// malformed unless the attributes have a kernel, which every other pool needs.
Status require_kernel(const WindowAttributes& window);

}  // namespace pbatch
