// com.microsoft EmbedLayerNormalization: the sum of word, position and segment embeddings,
// normalized; and how many tokens of each sequence the mask admits.
#include "graph/expand/expansion.h"

namespace pbatch {

Status expand_embed_layer_normalization(Expansion& e) {
  PBATCH_RETURN_IF_ERROR(e.expect_inputs(1, 9));
  for (const std::size_t i : {2U, 3U, 5U, 6U}) {
    if (!e.has(i)) return e.malformed("lacks its input " + std::to_string(i));
  }
  PBATCH_ASSIGN_OR_RETURN(const float epsilon, e.node().float_attr("epsilon", 1e-12F));
  const ValueId ids = e.in(0);
  ValueId sum = e.op("Gather", {e.in(2), ids});
  if (e.has(8)) {
    sum = e.op("Add", {sum, e.op("Gather", {e.in(3), e.in(8)})});
  } else {
    // Positions 0, 1, 2 ...: the first rows of their table.
    const ValueId rows = e.op("Slice", {e.in(3), e.ints({0}), e.dim(ids, 1), e.ints({0})});
    sum = e.op("Add", {sum, rows});
  }
  if (e.has(1)) {
    if (!e.has(4)) return e.malformed("has segments, but no table of them");
    sum = e.op("Add", {sum, e.op("Gather", {e.in(4), e.in(1)})});
  }
  e.result(0, e.op("LayerNormalization", {sum, e.in(5), e.in(6)},
                   {{"axis", std::int64_t{-1}}, {"epsilon", epsilon}}));
  if (e.wants(1)) {
    const ValueId mask =
        e.has(7) ? e.in(7) : e.op("Sub", {ids, ids});  // without one, a count of 0 for all
    e.result(1, e.squeeze(e.reduce("ReduceSum", mask, {1}), {1}));
  }
  e.result(2, sum);
  return Status::ok();
}

}  // namespace pbatch
