#include "pbatch/weight_memory.h"

#include <algorithm>

#include "product/weight_store.h"

namespace pbatch {

WeightMemory weight_memory() {
  const WeightStore& store = WeightStore::get();
  return {store.bytes(), store.limit(), store.given_up()};
}

void limit_weight_memory(std::int64_t bytes) {
  WeightStore::get().set_limit(std::max<std::int64_t>(0, bytes));
}

}  // namespace pbatch
