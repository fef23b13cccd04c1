#include "product/bit_gemm.h"

#include <algorithm>
#include <string>

#include "product/bit_product.h"
#include "product/matrix_cache.h"

namespace pbatch {
namespace {

Status check_activation_bits(int bits) {
  if (bits == 8 || bits == 16 || bits == 32) return Status::ok();
  return {ErrorCode::invalid_argument, "activations of " + std::to_string(bits) + " bits",
          "use 8, 16 or 32 activation bits"};
}

// The packed vectors of one chunk lie behind what the product itself needs.
PackedKey chunk_key(const PreparedMatrix& matrix, std::int64_t batch, int bits) {
  return BitProduct::key_of(matrix, BitProduct::chunk_of(matrix, batch, bits), bits);
}

std::size_t product_bytes(const PreparedMatrix& matrix, std::int64_t batch, int bits) {
  return (BitProduct::scratch_bytes(matrix, batch, bits) + 63) / 64 * 64;
}

}  // namespace

std::size_t bit_gemm_scratch_bytes(const PreparedMatrix& matrix, std::int64_t batch,
                                   int activation_bits) {
  return product_bytes(matrix, batch, activation_bits) +
         packed_buffer_bytes(chunk_key(matrix, batch, activation_bits));
}

Status bit_gemm(const PreparedMatrix& matrix, const BitGemmCall& call, ThreadPool& pool,
                BufferPool& buffers, void* scratch) {
  const int bits = call.activation_bits;
  const bool shared = call.packed != nullptr;
  const PackedVectors packed =
      shared ? packed_vectors_at(BitProduct::key_of(matrix, call.batch, bits), call.packed)
             : packed_vectors_at(
                   chunk_key(matrix, call.batch, bits),
                   static_cast<char*>(scratch) + product_bytes(matrix, call.batch, bits));
  BitProduct product(matrix, call.batch, bits, packed, scratch, buffers);
  product.time_parts(call.phases);
  const std::int64_t chunk = BitProduct::chunk_of(matrix, call.batch, bits);
  for (std::int64_t done = 0; done < call.batch; done += chunk) {
    const std::int64_t count = std::min(chunk, call.batch - done), first = shared ? done : 0;
    if (!call.packed_ready) {
      PBATCH_RETURN_IF_ERROR(
          product.quantize(call.x + done * call.ldx, call.ldx, first, count, pool));
    }
    const BitProductOutput out{.y = call.y + done * call.ldy,
                               .ldy = call.ldy,
                               .bias = call.bias,
                               .activation = call.activation,
                               .x = call.x + done * call.ldx,
                               .ldx = call.ldx};
    product.multiply_all(first, count, out, &pool);
  }
  return Status::ok();
}

Status bit_gemm(const PreparedMatrix& matrix, const BitGemmCall& call, ThreadPool& pool,
                BufferPool& buffers) {
  PBATCH_RETURN_IF_ERROR(check_activation_bits(call.activation_bits));
  if (call.batch <= 0) return Status::ok();
  const std::shared_ptr<void> scratch =
      buffers.take(bit_gemm_scratch_bytes(matrix, call.batch, call.activation_bits));
  if (scratch == nullptr) {
    return no_product_memory();
  }
  return bit_gemm(matrix, call, pool, buffers, scratch.get());
}

}  // namespace pbatch
