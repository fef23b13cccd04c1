// The caller's precision against what there is.
#pragma once

#include <vector>

#include "pbatch/network.h"
#include "pbatch/precision.h"
#include "pbatch/status.h"

namespace pbatch {

/// An error for widths that do not exist, and for layers that are none of `layers`. Whether these
/// have planes enough is another question.
Status check_widths(const Precision& precision, const std::vector<LayerInfo>& layers);

/// The same with 16 activation bits in place of 8s: what such layers multiply.
Precision without_8s(const Precision& precision);

}  // namespace pbatch
