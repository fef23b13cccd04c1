#include "product/weight_store.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "base/fork.h"

namespace pbatch {

WeightStore& WeightStore::get() {
  static auto* const store = new WeightStore;  // never destroyed: holders may end after main()
  return *store;
}

std::shared_ptr<const std::uint8_t> WeightStore::count(std::shared_ptr<const std::uint8_t> bytes,
                                                       std::size_t size) {
  const auto counted = static_cast<std::int64_t>(size);
  const std::uint8_t* const data = bytes.get();
  bytes_.fetch_add(counted, std::memory_order_relaxed);
  return {data, [this, counted, bytes = std::move(bytes)](const std::uint8_t*) mutable {
            bytes.reset();
            bytes_.fetch_sub(counted, std::memory_order_relaxed);
          }};
}

void WeightStore::set_limit(std::int64_t bytes) {
  limit_.store(bytes, std::memory_order_relaxed);
  make_room();
}

void WeightStore::add(Holder* holder) {
  const std::lock_guard lock(fork_mutex());
  holders_.push_back(holder);
}

void WeightStore::remove(Holder* holder) {
  const std::lock_guard lock(fork_mutex());
  std::erase(holders_, holder);
}

std::shared_ptr<const void> WeightStore::take_oldest() {
  const std::lock_guard lock(fork_mutex());
  Holder* found = nullptr;
  std::uint64_t when = 0;
  for (Holder* holder : holders_) {
    const std::optional<std::uint64_t> used = holder->oldest();
    if (!used || (found != nullptr && *used >= when)) continue;
    found = holder;
    when = *used;
  }
  return found != nullptr ? found->give_up() : nullptr;
}

void WeightStore::make_room() {
  while (limit() != 0 && bytes() > limit()) {
    // Ends here, outside of the lock: its end may be that of other holders.
    const std::shared_ptr<const void> oldest = take_oldest();
    if (oldest == nullptr) return;
    given_up_.fetch_add(1, std::memory_order_relaxed);
  }
}

}  // namespace pbatch
