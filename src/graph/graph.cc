#include "graph/graph.h"

#include <utility>

namespace pbatch {

ValueId Graph::add_value(Value value) {
  values.push_back(std::move(value));
  return static_cast<ValueId>(values.size() - 1);
}

const Tensor* Graph::constant(ValueId id) const {
  if (id < 0 || static_cast<std::size_t>(id) >= values.size()) return nullptr;
  const std::optional<Tensor>& constant = values[static_cast<std::size_t>(id)].constant;
  return constant ? &*constant : nullptr;
}

std::vector<std::vector<std::int32_t>> Graph::consumers() const {
  std::vector<std::vector<std::int32_t>> result(values.size());
  for (std::size_t n = 0; n < nodes.size(); ++n) {
    for (const ValueId id : nodes[n].inputs) {
      if (id != kNoValue) result[static_cast<std::size_t>(id)].push_back(static_cast<int>(n));
    }
  }
  return result;
}

std::vector<std::int32_t> Graph::producers() const {
  std::vector<std::int32_t> result(values.size(), -1);
  for (std::size_t n = 0; n < nodes.size(); ++n) {
    for (const ValueId id : nodes[n].outputs) {
      if (id != kNoValue) result[static_cast<std::size_t>(id)] = static_cast<std::int32_t>(n);
    }
  }
  return result;
}

}  // namespace pbatch
