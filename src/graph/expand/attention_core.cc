#include "graph/expand/attention_core.h"

#include <limits>
#include <utility>

namespace pbatch {
namespace {

// [B, H, S, d] as [B, h, H / h, S, d] for h heads of the key.
ValueId grouped_query(Expansion& e, const AttentionCore& a) {
  const ValueId shape =
      e.op("Concat",
           {e.dim(a.query, 0), e.dim(a.key, 1), e.ints({-1}), e.dim(a.query, 2), e.dim(a.query, 3)},
           {{"axis", std::int64_t{0}}});
  return e.op("Reshape", {a.query, shape});
}

// Scores [B, h, g, S, T] or their product with values as [B, H, S, T].
ValueId ungrouped(Expansion& e, ValueId x, const AttentionCore& a) {
  const ValueId shape =
      e.op("Concat", {e.dim(a.query, 0), e.dim(a.query, 1), e.dim(a.query, 2), e.ints({-1})},
           {{"axis", std::int64_t{0}}});
  return e.op("Reshape", {x, shape});
}

ValueId regrouped(Expansion& e, ValueId x, const AttentionCore& a) {
  const ValueId shape =
      e.op("Concat",
           {e.dim(a.query, 0), e.dim(a.key, 1), e.ints({-1}), e.dim(a.query, 2), e.dim(a.key, 2)},
           {{"axis", std::int64_t{0}}});
  return e.op("Reshape", {x, shape});
}

ValueId scaled_query(Expansion& e, ValueId query, const AttentionCore& a) {
  if (a.scale != 0.0F) return e.op("Mul", {query, e.scalar(a.scale)});
  const ValueId size = e.cast(e.dim(a.query, 3), DType::f32);
  return e.op("Div", {query, e.op("Sqrt", {size})});
}

}  // namespace

ValueId attention(Expansion& e, const AttentionCore& a, AttentionScores* scores) {
  const ValueId query = a.grouped ? grouped_query(e, a) : a.query;
  const ValueId key = a.grouped ? e.unsqueeze(a.key, {2}) : a.key;
  const ValueId value = a.grouped ? e.unsqueeze(a.value, {2}) : a.value;
  AttentionScores made;
  made.scaled = e.op("MatMul", {scaled_query(e, query, a), e.swapped(key)});
  if (a.grouped) made.scaled = ungrouped(e, made.scaled, a);
  made.capped = made.scaled;
  if (a.softcap != 0.0F) {
    const ValueId cap = e.scalar(a.softcap);
    made.capped = e.op("Mul", {e.op("Tanh", {e.op("Div", {made.scaled, cap})}), cap});
  }
  made.masked = e.add_if(e.add_if(made.capped, a.mask), a.bias);
  made.weights = e.op("Softmax", {made.masked}, {{"axis", std::int64_t{-1}}});
  if (scores != nullptr) *scores = made;
  const ValueId weights = a.grouped ? regrouped(e, made.weights, a) : made.weights;
  const ValueId mixed = e.op("MatMul", {weights, value});
  return a.grouped ? ungrouped(e, mixed, a) : mixed;
}

ValueId without_masked_queries(Expansion& e, ValueId x, ValueId mask) {
  const ValueId most = e.reduce("ReduceMax", mask, {-1});
  const ValueId nothing = e.scalar(-std::numeric_limits<float>::infinity());
  return e.op("Where", {e.op("Equal", {most, nothing}), e.scalar(0.0F), x});
}

ValueId split_heads(Expansion& e, ValueId x, std::int64_t heads) {
  return e.transpose(e.reshape(x, {0, 0, heads, -1}), {0, 2, 1, 3});
}

ValueId merge_heads(Expansion& e, ValueId x) {
  return e.reshape(e.transpose(x, {0, 2, 1, 3}), {0, 0, -1});
}

ValueId with_past(Expansion& e, ValueId past, ValueId now) {
  return past == kNoValue ? now : e.op("Concat", {past, now}, {{"axis", std::int64_t{2}}});
}

ValueId attention_mask(Expansion& e, const AttentionCore& a, ValueId mask, ValueId past,
                       Expansion::Attributes attributes) {
  return e.pbatch_op("AttentionMask", {a.query, a.key, mask, past}, std::move(attributes));
}

}  // namespace pbatch
