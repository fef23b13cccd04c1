// Attention over heads, as all operators of that kind share it.
#pragma once

#include "graph/expand/expansion.h"

namespace pbatch {

struct AttentionCore {
  ValueId query = kNoValue, key = kNoValue, value = kNoValue;  ///< [B, heads, tokens, size]
  float scale = 0.0F;       ///< of the scores; 0: 1 / sqrt(size of a head)
  float softcap = 0.0F;     ///< 0: none
  ValueId mask = kNoValue;  ///< added to the scores
  ValueId bias = kNoValue;  ///< added too
  bool grouped = false;     ///< several heads of the query share one of key and value
};

/// The scores on their way, [B, heads, tokens, tokens of the key].
struct AttentionScores {
  ValueId scaled = kNoValue;   ///< scale query key^T
  ValueId capped = kNoValue;   ///< after the softcap, if there is one
  ValueId masked = kNoValue;   ///< with mask and bias added
  ValueId weights = kNoValue;  ///< after the softmax
};

/// softmax(scale query key^T + mask + bias) value, [B, heads, tokens, size].
ValueId attention(Expansion& e, const AttentionCore& a, AttentionScores* scores = nullptr);

/// `x` [B, heads, tokens, any] with zeros for queries that no key counts for: all of their mask is
/// -inf, and what a softmax makes of that is NaN.
ValueId without_masked_queries(Expansion& e, ValueId x, ValueId mask);

/// [B, tokens, heads size] as [B, heads, tokens, size], and back.
ValueId split_heads(Expansion& e, ValueId x, std::int64_t heads);
ValueId merge_heads(Expansion& e, ValueId x);

/// `past`, if there is one, and `now` behind it, along the tokens.
ValueId with_past(Expansion& e, ValueId past, ValueId now);

/// What pbatch.AttentionMask makes of these attributes.
ValueId attention_mask(Expansion& e, const AttentionCore& a, ValueId mask, ValueId past,
                       Expansion::Attributes attributes);

}  // namespace pbatch
