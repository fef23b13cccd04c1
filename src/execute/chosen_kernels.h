// The kernels that were chosen for the precisions and batches of a matrix.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include "kernel/registry.h"

namespace pbatch {

/// Choosing takes about a microsecond, a small product not much more: the answers are kept.
/// Thread-safe but for clear().
class ChosenKernels {
 public:
  struct Key {
    int weight_bits = 0, activation_bits = 0;
    std::int64_t batch = 0;
    friend bool operator==(const Key&, const Key&) = default;
  };

  /// What `choose` says for a key, a pure function. It is called again for a key that newer ones
  /// have displaced.
  template <class Choose>
  const BitKernel& get(const Key& key, const Choose& choose) {
    {
      const std::lock_guard lock(mutex_);
      for (const Entry& entry : entries_) {
        if (entry.kernel != nullptr && entry.key == key) return *entry.kernel;
      }
    }
    const BitKernel& kernel = choose();
    const std::lock_guard lock(mutex_);
    entries_[next_] = {key, &kernel};
    next_ = (next_ + 1) % entries_.size();
    return kernel;
  }

  void clear() { entries_.fill({}); }

 private:
  struct Entry {
    Key key;
    const BitKernel* kernel = nullptr;
  };
  std::mutex mutex_;
  std::array<Entry, 16> entries_{};
  std::size_t next_ = 0;
};

}  // namespace pbatch
