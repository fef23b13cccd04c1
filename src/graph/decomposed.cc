#include "graph/decomposed.h"

namespace pbatch {

std::optional<ValueId> Parts::mean_of(ValueId id) const {
  const Node* const mean = made_by(id, "ReduceMean");
  if (mean == nullptr) return std::nullopt;
  const auto keep = mean->int_attr("keepdims", 1);
  if (!keep || *keep != 1) return std::nullopt;
  auto axes = mean->ints_attr("axes", {});
  if (!axes) return std::nullopt;
  if (const ValueId given = input_or_none(*mean, 1); given != kNoValue) {
    const Tensor* const t = graph_.constant(given);
    if (t == nullptr || t->dtype() != DType::i64) return std::nullopt;
    axes->assign(t->data<std::int64_t>(), t->data<std::int64_t>() + t->size());
  }
  if (axes->size() != 1 || axes->front() != -1) return std::nullopt;
  return mean->inputs[0];
}

}  // namespace pbatch
