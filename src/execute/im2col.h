// Convolution as a matrix product.
#pragma once

#include <cstdint>

#include "execute/conv_geometry.h"

namespace pbatch {

/// Writes rows begin .. end - 1 of the matrix [positions][channels * kernel size]
/// of one image x [channels][in...]: row p is what the p-th window sees, zeros
/// where it hangs over the edge. Columns are ordered as ONNX's weights
/// [M][channels][kernel...] are, so that Y = W * matrix^T. `columns` holds
/// end - begin rows without gaps. `channels` may be fewer than the geometry's:
/// those of one group. Precondition: 1, 2 or 3 spatial dimensions.
void im2col(const ConvGeometry& geometry, const float* x, std::int64_t channels, std::int64_t begin,
            std::int64_t end, float* columns);

/// The same of an image that lies as [in...][channels].
void im2col_channels_last(const ConvGeometry& geometry, const float* x, std::int64_t begin,
                          std::int64_t end, float* columns);

}  // namespace pbatch
