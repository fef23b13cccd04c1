// com.microsoft FusedGemm: Gemm and an activation.
#include "graph/expand/fused_activation.h"

namespace pbatch {

Status expand_fused_gemm(Expansion& e) {
  PBATCH_RETURN_IF_ERROR(e.expect_inputs(2, 3));
  PBATCH_ASSIGN_OR_RETURN(const std::string name, e.node().string_attr("activation", ""));
  std::vector<float> params;
  Expansion::Attributes attributes = e.node().attributes;
  for (const char* param : {"activation_alpha", "activation_beta", "activation_gamma"}) {
    if (!e.node().has_attr(param)) break;
    PBATCH_ASSIGN_OR_RETURN(const float value, e.node().float_attr(param, 0.0F));
    params.push_back(value);
  }
  std::erase_if(attributes, [](const auto& a) { return a.first.starts_with("activation"); });
  const ValueId y = e.op("Gemm", {e.in(0), e.in(1), e.in(2)}, std::move(attributes));
  PBATCH_ASSIGN_OR_RETURN(const ValueId z, activated(e, y, name, params));
  e.result(0, z);
  return Status::ok();
}

}  // namespace pbatch
