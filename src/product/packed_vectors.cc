#include "product/packed_vectors.h"

#include "layout/layout.h"

namespace pbatch {
namespace {

// Every part starts on a cache line.
std::int64_t line_up(std::int64_t bytes) { return (bytes + 63) / 64 * 64; }

struct Sizes {
  std::int64_t activation_stride, run_sum_stride;  // of one vector: bytes, numbers
  std::int64_t activations, run_sums, scales;      // bytes of all
};

Sizes sizes_of(const PackedKey& key) {
  const std::int64_t blocks = col_blocks(key.cols);
  const std::int64_t runs = (blocks + key.run_blocks - 1) / key.run_blocks;
  Sizes s = {};
  s.activation_stride = packed_bytes(key.layout, blocks, key.activation_bits);
  s.run_sum_stride = activation_halves(key.activation_bits) * runs;
  s.activations = key.batch * s.activation_stride;
  s.run_sums =
      line_up(key.batch * s.run_sum_stride * static_cast<std::int64_t>(sizeof(std::int32_t)));
  s.scales = line_up(key.batch * static_cast<std::int64_t>(sizeof(float)));
  return s;
}

}  // namespace

PackedVectors PackedVectors::from(std::int64_t first) const {
  PackedVectors v = *this;
  v.activations += first * activation_stride;
  v.run_sums += first * run_sum_stride;
  v.scales += first;
  return v;
}

std::size_t packed_buffer_bytes(const PackedKey& key) {
  const Sizes s = sizes_of(key);
  return static_cast<std::size_t>(s.activations + s.run_sums + s.scales);
}

PackedVectors packed_vectors_at(const PackedKey& key, void* buffer) {
  const Sizes s = sizes_of(key);
  PackedVectors v;
  v.activation_stride = s.activation_stride;
  v.run_sum_stride = s.run_sum_stride;
  v.activations = static_cast<std::uint8_t*>(buffer);
  v.run_sums = reinterpret_cast<std::int32_t*>(v.activations + s.activations);
  v.scales = reinterpret_cast<float*>(v.activations + s.activations + s.run_sums);
  return v;
}

}  // namespace pbatch
