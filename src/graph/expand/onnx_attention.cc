// Attention of ONNX (opset 23). That heads are to be split is told by attribute q_num_heads.
#include "graph/expand/attention_core.h"

namespace pbatch {
namespace {

// What output qk_matmul_output is of. A score that a mask forbids is -inf.
Result<ValueId> scores_asked_for(Expansion& e, const AttentionScores& scores, ValueId mask) {
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t mode, e.node().int_attr("qk_matmul_output_mode", 0));
  switch (mode) {
    case 0:
      return scores.scaled;
    case 1:
      return scores.capped;
    case 2:
      return scores.masked;
    case 3:
      return mask == kNoValue ? scores.weights : without_masked_queries(e, scores.weights, mask);
    default:
      return e.malformed("attribute qk_matmul_output_mode is " + std::to_string(mode) +
                         ", not 0 to 3");
  }
}

}  // namespace

Status expand_onnx_attention(Expansion& e) {
  PBATCH_RETURN_IF_ERROR(e.expect_inputs(3, 6));
  const Node& n = e.node();
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t heads, n.int_attr("q_num_heads", 0));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t kv_heads, n.int_attr("kv_num_heads", 0));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t causal, n.int_attr("is_causal", 0));
  AttentionCore core;
  PBATCH_ASSIGN_OR_RETURN(core.scale, n.float_attr("scale", 0.0F));
  PBATCH_ASSIGN_OR_RETURN(core.softcap, n.float_attr("softcap", 0.0F));
  const bool split = heads > 0;
  core.query = split ? split_heads(e, e.in(0), heads) : e.in(0);
  core.key = with_past(e, e.in(4), split ? split_heads(e, e.in(1), kv_heads) : e.in(1));
  core.value = with_past(e, e.in(5), split ? split_heads(e, e.in(2), kv_heads) : e.in(2));
  core.grouped = !split || heads != kv_heads;  // unsplit heads are known at run time only
  if (causal != 0 || e.has(3)) {
    core.mask = attention_mask(e, core, e.in(3), e.in(4),
                               {{"kind", std::string(e.has(3) ? "bias" : "")}, {"causal", causal}});
  }
  AttentionScores scores;
  ValueId y = attention(e, core, &scores);
  const ValueId mask = e.has(3) ? core.mask : kNoValue;  // one that may forbid all keys
  if (mask != kNoValue) y = without_masked_queries(e, y, mask);
  e.result(0, split ? merge_heads(e, y) : y);
  e.result(1, core.key);
  e.result(2, core.value);
  if (e.wants(3)) {
    PBATCH_ASSIGN_OR_RETURN(const ValueId asked, scores_asked_for(e, scores, mask));
    e.result(3, asked);
  }
  return Status::ok();
}

}  // namespace pbatch
