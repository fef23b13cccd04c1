#include "execute/packed_input.h"

#include <cstddef>
#include <utility>

#include "pack/layout.h"

namespace pbatch {
namespace {

// Every part starts on a cache line.
std::int64_t line_up(std::int64_t bytes) { return (bytes + 63) / 64 * 64; }

}  // namespace

PackedVectors PackedVectors::from(std::int64_t first) const {
  PackedVectors v = *this;
  v.activations += first * activation_stride;
  v.run_sums += first * run_sum_stride;
  v.scales += first;
  return v;
}

PackedBuffer PackedBuffer::allocate(const PackedKey& key, BufferPool& buffers) {
  const std::int64_t blocks = col_blocks(key.cols);
  const std::int64_t runs = (blocks + key.run_blocks - 1) / key.run_blocks;
  PackedBuffer buffer;
  PackedVectors& v = buffer.vectors;
  v.activation_stride = packed_bytes(key.layout, blocks, key.activation_bits);
  v.run_sum_stride = activation_halves(key.activation_bits) * runs;
  const std::int64_t activation_bytes = key.batch * v.activation_stride;
  const std::int64_t sum_bytes =
      line_up(key.batch * v.run_sum_stride * static_cast<std::int64_t>(sizeof(std::int32_t)));
  const std::int64_t scale_bytes = key.batch * static_cast<std::int64_t>(sizeof(float));
  buffer.memory =
      buffers.take(static_cast<std::size_t>(activation_bytes + sum_bytes + scale_bytes));
  if (buffer.memory == nullptr) return buffer;
  v.activations = static_cast<std::uint8_t*>(buffer.memory.get());
  v.run_sums = reinterpret_cast<std::int32_t*>(v.activations + activation_bytes);
  v.scales = reinterpret_cast<float*>(v.activations + activation_bytes + sum_bytes);
  return buffer;
}

const PackedBuffer* PackedInput::find(const PackedKey& key) const {
  for (const Entry& entry : entries_) {
    if (entry.key == key) return &entry.buffer;
  }
  return nullptr;
}

void PackedInput::keep(const PackedKey& key, PackedBuffer buffer) {
  entries_.push_back({key, std::move(buffer)});
}

}  // namespace pbatch
