// com.microsoft FusedConv: Conv, an addend perhaps, and an activation.
#include "graph/expand/fused_activation.h"

namespace pbatch {

Status expand_fused_conv(Expansion& e) {
  PBATCH_RETURN_IF_ERROR(e.expect_inputs(2, 4));
  PBATCH_ASSIGN_OR_RETURN(const std::string name, e.node().string_attr("activation", ""));
  std::vector<float> params;
  Expansion::Attributes attributes = e.node().attributes;
  if (const auto it = attributes.find("activation_params"); it != attributes.end()) {
    const auto* given = std::get_if<std::vector<float>>(&it->second);
    if (given == nullptr) return e.malformed("has activation_params that are no floats");
    params = *given;
    attributes.erase(it);
  }
  attributes.erase("activation");
  const ValueId y = e.op("Conv", {e.in(0), e.in(1), e.in(2)}, std::move(attributes));
  PBATCH_ASSIGN_OR_RETURN(const ValueId z, activated(e, e.add_if(y, e.in(3)), name, params));
  e.result(0, z);
  return Status::ok();
}

}  // namespace pbatch
