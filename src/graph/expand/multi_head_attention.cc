// com.microsoft Attention, QAttention and MultiHeadAttention.
#include "graph/expand/attention_core.h"
#include "graph/expand/quantized.h"

namespace pbatch {
namespace {

struct HeadSettings {
  std::int64_t heads = 0;
  bool causal = false;
  float scale = 0.0F, masked = -10000.0F;
};

Result<HeadSettings> read_head_settings(Expansion& e) {
  HeadSettings s;
  PBATCH_ASSIGN_OR_RETURN(s.heads, e.node().int_attr("num_heads", 0));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t causal, e.node().int_attr("unidirectional", 0));
  PBATCH_ASSIGN_OR_RETURN(s.scale, e.node().float_attr("scale", 0.0F));
  PBATCH_ASSIGN_OR_RETURN(s.masked, e.node().float_attr("mask_filter_value", -10000.0F));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t rotary, e.node().int_attr("do_rotary", 0));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t shared,
                          e.node().int_attr("past_present_share_buffer", 0));
  if (s.heads < 1) return e.malformed("has num_heads = " + std::to_string(s.heads));
  if (rotary != 0) return e.unsupported("has do_rotary", "export with rotary embedding outside");
  if (shared != 0) return e.unsupported("shares past and present", "export without shared buffers");
  s.causal = causal != 0;
  return s;
}

// The mask of padding `padding`, if any, and of the order of tokens.
void set_mask(Expansion& e, const HeadSettings& s, ValueId padding, ValueId past,
              AttentionCore* core) {
  core->scale = s.scale;
  if (padding == kNoValue && !s.causal) return;
  core->mask = attention_mask(e, *core, padding, past,
                              {{"kind", std::string(padding == kNoValue ? "" : "padding")},
                               {"causal", std::int64_t{s.causal}},
                               {"masked", s.masked}});
}

// Sizes of query, key and value in the columns of the joint weights.
Result<std::vector<std::int64_t>> joint_sizes(Expansion& e) {
  PBATCH_ASSIGN_OR_RETURN(std::vector<std::int64_t> sizes,
                          e.node().ints_attr("qkv_hidden_sizes", {}));
  if (sizes.size() == 3) return sizes;
  const Tensor* weights = e.constant(1);
  if (weights == nullptr || weights->rank() != 2 || weights->dim(1) % 3 != 0) {
    return e.unsupported("has weights that are computed, or not [inputs, 3 hidden]",
                         "export the network with constant weights");
  }
  return std::vector<std::int64_t>(3, weights->dim(1) / 3);
}

// Attention of x [B, S, inputs] times weights [inputs, q + k + v]; `past` is [2, B, H, P, size].
Status expand_self_attention(Expansion& e, const HeadSettings& s, ValueId x, ValueId weights,
                             ValueId padding, ValueId past, ValueId bias) {
  PBATCH_ASSIGN_OR_RETURN(const std::vector<std::int64_t> sizes, joint_sizes(e));
  const ValueId joint = e.add_if(e.op("MatMul", {x, weights}), e.in(2));
  const Expansion::Values parts = e.split(joint, -1, sizes);
  AttentionCore core;
  core.query = split_heads(e, parts[0], s.heads);
  core.key = split_heads(e, parts[1], s.heads);
  core.value = split_heads(e, parts[2], s.heads);
  core.bias = bias;
  ValueId past_key = kNoValue;
  if (past != kNoValue) {
    past_key = e.squeeze(e.slice(past, 0, 0, 1), {0});
    core.key = with_past(e, past_key, core.key);
    core.value = with_past(e, e.squeeze(e.slice(past, 0, 1, 2), {0}), core.value);
  }
  set_mask(e, s, padding, past_key, &core);
  e.result(0, merge_heads(e, attention(e, core)));
  if (e.wants(1)) {
    e.result(1, e.op("Concat", {e.unsqueeze(core.key, {0}), e.unsqueeze(core.value, {0})},
                     {{"axis", std::int64_t{0}}}));
  }
  return Status::ok();
}

}  // namespace

Status expand_attention(Expansion& e) {
  PBATCH_RETURN_IF_ERROR(e.expect_inputs(2, 7));
  PBATCH_ASSIGN_OR_RETURN(const HeadSettings s, read_head_settings(e));
  return expand_self_attention(e, s, e.in(0), e.in(1), e.in(3), e.in(4), e.in(5));
}

Status expand_qattention(Expansion& e) {
  PBATCH_RETURN_IF_ERROR(e.expect_inputs(5, 9));
  PBATCH_ASSIGN_OR_RETURN(const HeadSettings s, read_head_settings(e));
  Expansion::Attributes axis;
  if (e.opset() >= 13) axis["axis"] = std::int64_t{1};
  const ValueId x = e.op("DequantizeLinear", {e.in(0), e.in(3), e.in(6)}, axis);
  const ValueId w = e.op("DequantizeLinear", {e.in(1), e.in(4), e.in(7)}, axis);
  return expand_self_attention(e, s, x, w, e.in(5), e.in(8), kNoValue);
}

// Query, key and value [B, tokens, hidden]; key and value perhaps [B, heads, tokens, size].
Status expand_multi_head_attention(Expansion& e) {
  PBATCH_RETURN_IF_ERROR(e.expect_inputs(1, 8));
  PBATCH_ASSIGN_OR_RETURN(const HeadSettings s, read_head_settings(e));
  if (e.wants(3)) return e.unsupported("has an output of scores", "export without it");
  if (!e.has(1) || !e.has(2)) {
    return e.unsupported("has query, key and value in one tensor", "optimize for the CPU");
  }
  ValueId query = e.in(0), key = e.in(1), value = e.in(2);
  if (e.has(3)) {
    const Tensor* bias = e.constant(3);
    if (bias == nullptr || bias->rank() != 1 || bias->size() % 3 != 0) {
      return e.unsupported("has a bias that is no constant of three equal parts",
                           "export the network with constant weights");
    }
    const std::int64_t size = bias->size() / 3;
    query = e.op("Add", {query, e.slice(e.in(3), 0, 0, size)});
    key = e.op("Add", {key, e.slice(e.in(3), 0, size, 2 * size)});
    value = e.op("Add", {value, e.slice(e.in(3), 0, 2 * size, 3 * size)});
  }
  AttentionCore core;
  core.query = split_heads(e, query, s.heads);
  core.key = with_past(e, e.in(6), e.pbatch_op("SplitHeads", {key}, {{"heads", s.heads}}));
  core.value = with_past(e, e.in(7), e.pbatch_op("SplitHeads", {value}, {{"heads", s.heads}}));
  core.bias = e.in(5);
  set_mask(e, s, e.in(4), e.in(6), &core);
  e.result(0, merge_heads(e, attention(e, core)));
  e.result(1, core.key);
  e.result(2, core.value);
  return Status::ok();
}

}  // namespace pbatch
