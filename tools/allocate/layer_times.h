// What layers take at each width, as plans predict it.
#pragma once

#include <span>
#include <vector>

#include "tools/allocate/layer_items.h"

namespace pbatch {

/// Fills in LayerChoice::us from the plans of runs on inputs of these shapes, one plan for each
/// pair of weight and activation bits. A convolution that runs in float at some widths, for which
/// there is no prediction, takes there what its fastest width does: it is in float because that is
/// no slower. Errors as of Session::plan.
Status predict_times(const Session& session, std::span<const InputShape> shapes, bool exact,
                     std::vector<LayerItem>& items);

}  // namespace pbatch
