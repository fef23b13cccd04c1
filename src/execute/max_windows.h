// Maxima of sliding windows over numbers that oneDNN's pooling does not take.
#pragma once

#include <span>

#include "execute/conv_geometry.h"

namespace pbatch {

/// True if `x` has a NaN or a negative infinity: oneDNN passes the one over and gives -FLT_MAX
/// for windows of the other.
bool needs_max_windows(std::span<const float> x);

/// y[batch][channels][out...] = the greatest element of each window of x, NaN if the window has
/// one. Slow and plain. Precondition: every window sees some of the input, at most 3 dimensions.
void max_windows(const ConvGeometry& geometry, const float* x, float* y);

}  // namespace pbatch
