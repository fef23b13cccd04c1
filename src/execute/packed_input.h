// The activations of a product, quantized and packed; kept while several matrices read a tensor.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/buffer_pool.h"
#include "kernel/kernel.h"

namespace pbatch {

/// What packed vectors depend on, besides their floats.
struct PackedKey {
  ActivationLayout layout = kActivationNumbers;
  int activation_bits = 0;
  int run_blocks = 0;
  std::int64_t cols = 0;
  std::int64_t batch = 0;

  bool operator==(const PackedKey&) const = default;
};

/// Where packed vectors are.
struct PackedVectors {
  std::uint8_t* activations = nullptr;  ///< [batch][activation_stride]
  std::int64_t activation_stride = 0;
  std::int32_t* run_sums = nullptr;  ///< [batch][run_sum_stride]
  std::int64_t run_sum_stride = 0;
  float* scales = nullptr;  ///< [batch]

  /// Those from `first` on.
  PackedVectors from(std::int64_t first) const;
};

/// A buffer with room for `key.batch` packed vectors. No more than twice the bytes of the floats.
struct PackedBuffer {
  std::shared_ptr<void> memory;  ///< null when there was none
  PackedVectors vectors;

  static PackedBuffer allocate(const PackedKey& key, BufferPool& buffers);
};

/// The packed vectors of one tensor in one run, an entry for each way its products want them.
/// Not thread-safe: a run calls its operators one by one.
class PackedInput {
 public:
  /// Null if nobody has packed them this way.
  const PackedBuffer* find(const PackedKey& key) const;
  /// Keeps what is complete.
  void keep(const PackedKey& key, PackedBuffer buffer);

 private:
  struct Entry {
    PackedKey key;
    PackedBuffer buffer;
  };
  std::vector<Entry> entries_;  // at most one a product
};

}  // namespace pbatch
