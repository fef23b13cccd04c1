// A small cache of what was used lately.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace pbatch {

/// Keeps the `capacity` values used last; an evicted one lives on while somebody
/// holds it. Searched one by one: for few entries. Not thread-safe.
template <class Key, class Value>
class Recent {
 public:
  explicit Recent(std::size_t capacity) : capacity_(capacity) {}

  /// Null if there is none. `key`: a Key, or what compares with one.
  template <class Wanted>
  std::shared_ptr<const Value> find(const Wanted& key) {
    const auto it = std::find_if(entries_.begin(), entries_.end(),
                                 [&](const Entry& entry) { return entry.first == key; });
    if (it == entries_.end()) return nullptr;
    std::rotate(entries_.begin(), it, it + 1);
    return entries_.front().second;
  }

  void add(Key key, std::shared_ptr<const Value> value) {
    if (entries_.size() >= capacity_) entries_.pop_back();
    entries_.insert(entries_.begin(), Entry(std::move(key), std::move(value)));
  }

  bool is_empty() const { return entries_.empty(); }
  /// The value used least recently. Precondition: there is one.
  const Value& oldest() const { return *entries_.back().second; }
  /// The same, given up.
  std::shared_ptr<const Value> take_oldest() {
    std::shared_ptr<const Value> value = std::move(entries_.back().second);
    entries_.pop_back();
    return value;
  }

  /// Calls test(key, value) on each, most recent first, until it returns true.
  template <class Test>
  void any_of(const Test& test) const {
    for (const Entry& entry : entries_) {
      if (test(entry.first, *entry.second)) return;
    }
  }

  template <class Test>
  void erase_if(const Test& test) {
    std::erase_if(entries_, [&](const Entry& entry) { return test(entry.first); });
  }

 private:
  using Entry = std::pair<Key, std::shared_ptr<const Value>>;
  std::size_t capacity_;
  std::vector<Entry> entries_;
};

}  // namespace pbatch
