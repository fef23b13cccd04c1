#include "op/math/scale_layout.h"

#include "op/float_checks.h"

namespace pbatch {
namespace {

Status wrong_scale(const Shape& x, const Shape& scale) {
  return {ErrorCode::shape_mismatch,
          "scales of shape " + shape_to_string(scale) + " do not fit a tensor of shape " +
              shape_to_string(x),
          "feed the shape that the network was exported for"};
}

}  // namespace

Result<ScaleLayout> ScaleLayout::create(const Shape& x, const Shape& scale, std::int64_t axis,
                                        std::int64_t block_size) {
  ScaleLayout layout;
  if (block_size == 0 && product_of(scale, 0, scale.size()) == 1 && scale.size() <= 1) {
    layout.inner_ = product_of(x, 0, x.size());
    return layout;
  }
  PBATCH_ASSIGN_OR_RETURN(const std::size_t at, normalize_axis(axis, x.size()));
  layout.outer_ = product_of(x, 0, at);
  layout.extent_ = x[at];
  layout.inner_ = product_of(x, at + 1, x.size());
  if (block_size == 0) {
    if (scale != Shape{x[at]}) return wrong_scale(x, scale);
    return layout;
  }
  Shape wanted = x;
  wanted[at] = x[at] / block_size + (x[at] % block_size != 0 ? 1 : 0);
  if (block_size < 0 || scale != wanted) return wrong_scale(x, scale);
  layout.block_ = block_size;
  layout.blocks_ = wanted[at];
  return layout;
}

}  // namespace pbatch
