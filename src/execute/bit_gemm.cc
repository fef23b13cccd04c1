#include "execute/bit_gemm.h"

#include <algorithm>
#include <string>

#include "execute/bit_product.h"
#include "execute/matrix_cache.h"
#include "pack/layout.h"

namespace pbatch {
namespace {

// Row blocks that a kernel may take at once.
constexpr std::int64_t kTileRowBlocks = 4;

// Whole tiles, if that leaves threads enough of them to end together.
std::int64_t grain_of(std::int64_t blocks, const ThreadPool& pool) {
  std::int64_t grain = kTileRowBlocks;
  while (grain > 1 && blocks < 4 * grain * pool.threads()) grain /= 2;
  return grain;
}

void multiply(const BitProduct& product, std::int64_t first, std::int64_t count,
              std::int64_t blocks, const BitProductOutput& out, ThreadPool& pool) {
  const auto task = [&](std::int64_t begin, std::int64_t end) {
    product.multiply(first, count, begin, end, out);
  };
  if (product.is_worth_sharing(count, blocks)) {
    pool.parallel_for(blocks, grain_of(blocks, pool), task);
  } else {
    task(0, blocks);
  }
}

}  // namespace

Status bit_gemm(const PreparedMatrix& matrix, const BitGemmCall& call, ThreadPool& pool,
                BufferPool& buffers) {
  const int bits = call.activation_bits;
  if (bits != 8 && bits != 16 && bits != 32) {
    return {ErrorCode::invalid_argument, "activations of " + std::to_string(bits) + " bits",
            "use 8, 16 or 32 activation bits"};
  }
  if (call.batch <= 0) return Status::ok();
  // Packed vectors of one chunk, or of the whole batch if they are to be kept.
  const bool shared = call.packed != nullptr;
  const std::int64_t chunk = BitProduct::chunk_of(matrix, call.batch, bits);
  const PackedKey key = BitProduct::key_of(matrix, shared ? call.batch : chunk, bits);
  const PackedBuffer* const ready = shared ? call.packed->find(key) : nullptr;
  const PackedBuffer packed = ready != nullptr ? *ready : PackedBuffer::allocate(key, buffers);
  PBATCH_ASSIGN_OR_RETURN(BitProduct product,
                          BitProduct::create(matrix, call.batch, bits, buffers, packed));
  for (std::int64_t done = 0; done < call.batch; done += chunk) {
    const std::int64_t count = std::min(chunk, call.batch - done), first = shared ? done : 0;
    if (ready == nullptr) {
      PBATCH_RETURN_IF_ERROR(
          product.quantize(call.x + done * call.ldx, call.ldx, first, count, pool));
    }
    multiply(product, first, count, row_blocks(matrix.matrix->rows),
             {call.y + done * call.ldy, call.ldy, call.bias, call.activation}, pool);
  }
  if (shared && ready == nullptr) call.packed->keep(key, packed);
  return Status::ok();
}

}  // namespace pbatch
