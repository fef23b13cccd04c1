// com.microsoft GroupQueryAttention: heads of the query share those of key and value; the present
// is the past with the new tokens behind it.
#include "graph/expand/attention_core.h"

namespace pbatch {
namespace {

struct QuerySettings {
  std::int64_t heads = 0, kv_heads = 0, rotary = 0, interleaved = 0, window = -1, causal = 1;
  float scale = 0.0F, softcap = 0.0F;
};

Result<QuerySettings> read_query_settings(Expansion& e) {
  QuerySettings s;
  const Node& n = e.node();
  PBATCH_ASSIGN_OR_RETURN(s.heads, n.int_attr("num_heads", 0));
  PBATCH_ASSIGN_OR_RETURN(s.kv_heads, n.int_attr("kv_num_heads", 0));
  PBATCH_ASSIGN_OR_RETURN(s.rotary, n.int_attr("do_rotary", 0));
  PBATCH_ASSIGN_OR_RETURN(s.interleaved, n.int_attr("rotary_interleaved", 0));
  PBATCH_ASSIGN_OR_RETURN(s.window, n.int_attr("local_window_size", -1));
  PBATCH_ASSIGN_OR_RETURN(s.causal, n.int_attr("causal", 1));
  PBATCH_ASSIGN_OR_RETURN(s.scale, n.float_attr("scale", 0.0F));
  PBATCH_ASSIGN_OR_RETURN(s.softcap, n.float_attr("softcap", 0.0F));
  constexpr std::int64_t kMost = 1 << 20;
  if (s.heads < 1 || s.kv_heads < 1 || s.heads > kMost || s.kv_heads > kMost ||
      s.heads % s.kv_heads != 0) {
    return e.malformed("has num_heads = " + std::to_string(s.heads) +
                       ", kv_num_heads = " + std::to_string(s.kv_heads));
  }
  for (const char* name : {"smooth_softmax", "qk_output", "kv_cache_bit_width"}) {
    PBATCH_ASSIGN_OR_RETURN(const std::int64_t value, n.int_attr(name, 0));
    if (value > 0) return e.unsupported(std::string("has ") + name, "export without it");
  }
  for (std::size_t i = 11; i < n.inputs.size(); ++i) {
    if (e.has(i)) return e.unsupported("has input " + std::to_string(i), "export without it");
  }
  return s;
}

// Heads [B, S, h, size] of each of query, key and value.
struct Heads {
  ValueId query, key, value;
};

Heads read_heads(Expansion& e, const QuerySettings& s) {
  if (e.has(1)) {
    return {split_heads(e, e.in(0), s.heads), split_heads(e, e.in(1), s.kv_heads),
            split_heads(e, e.in(2), s.kv_heads)};
  }
  const ValueId all = split_heads(e, e.in(0), s.heads + 2 * s.kv_heads);
  const Expansion::Values parts = e.split(all, 1, {s.heads, s.kv_heads, s.kv_heads});
  return {parts[0], parts[1], parts[2]};
}

// Places of the new tokens: behind the past, [B, S].
ValueId positions(Expansion& e, ValueId query) {
  if (e.has(9)) return e.in(9);
  const ValueId batch = e.dim(query, 0), tokens = e.dim(query, 2);
  const ValueId first = e.has(3) ? e.dim(e.in(3), 2) : e.ints({0});
  const auto number = [&e](ValueId x) { return e.squeeze(x, {0}); };
  const ValueId row = e.op(
      "Range", {number(first), number(e.op("Add", {first, tokens})), e.scalar(std::int64_t{1})});
  const ValueId shape = e.op("Concat", {batch, tokens}, {{"axis", std::int64_t{0}}});
  return e.op("Expand", {row, shape});
}

ValueId rotated(Expansion& e, const QuerySettings& s, ValueId x, ValueId at) {
  return e.op("RotaryEmbedding", {x, e.in(7), e.in(8), at}, {{"interleaved", s.interleaved}});
}

}  // namespace

Status expand_group_query_attention(Expansion& e) {
  PBATCH_RETURN_IF_ERROR(e.expect_inputs(1, 17));
  PBATCH_ASSIGN_OR_RETURN(const QuerySettings s, read_query_settings(e));
  Heads heads = read_heads(e, s);
  if (s.rotary != 0) {
    if (!e.has(7) || !e.has(8)) return e.malformed("has do_rotary, but no tables of angles");
    const ValueId at = positions(e, heads.query);
    heads.query = rotated(e, s, heads.query, at);
    heads.key = rotated(e, s, heads.key, at);
  }
  AttentionCore core;
  core.query = heads.query;
  core.key = with_past(e, e.in(3), heads.key);
  core.value = with_past(e, e.in(4), heads.value);
  core.scale = s.scale;
  core.softcap = s.softcap;
  core.bias = e.in(10);
  core.grouped = s.heads != s.kv_heads;
  core.mask = attention_mask(e, core, e.in(5), e.in(3),
                             {{"kind", std::string(e.has(5) ? "lengths" : "")},
                              {"causal", s.causal},
                              {"window", s.window}});
  e.result(0, merge_heads(e, attention(e, core)));
  e.result(1, core.key);
  e.result(2, core.value);
  return Status::ok();
}

}  // namespace pbatch
