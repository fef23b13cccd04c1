// The activation that com.microsoft FusedConv and FusedGemm carry as attributes.
#pragma once

#include <string>
#include <vector>

#include "graph/expand/expansion.h"

namespace pbatch {

/// x behind the activation of that name ("" for none); `params` are those that it takes, in
/// ONNX Runtime's order.
Result<ValueId> activated(Expansion& e, ValueId x, const std::string& name,
                          const std::vector<float>& params);

}  // namespace pbatch
