// The activations of a product, quantized and packed: how they lie in memory.
#pragma once

#include <cstddef>
#include <cstdint>

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

/// Bytes of a buffer for `key.batch` packed vectors. No more than twice those of the floats.
std::size_t packed_buffer_bytes(const PackedKey& key);
/// How packed vectors lie in a buffer of that size, 64-byte aligned.
PackedVectors packed_vectors_at(const PackedKey& key, void* buffer);

}  // namespace pbatch
