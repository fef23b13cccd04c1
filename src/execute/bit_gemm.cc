#include "execute/bit_gemm.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <string>

#include "execute/matrix_cache.h"
#include "pack/layout.h"

namespace pbatch {
namespace {

// Vectors are taken in chunks, so that a chunk's activations stay in a core's second-level cache
// and the scratch memory is bounded whatever the batch.
constexpr std::int64_t kMaxChunk = 64, kMinChunk = 8;
constexpr std::int64_t kChunkActivationBytes = 512 << 10;
constexpr std::int64_t kChunkAccumulatorBytes = 4 << 20;

// Work that is done before another thread, even one that is awake, has been of use.
constexpr std::int64_t kSerialMacs = 1 << 18;
constexpr std::int64_t kSerialElements = 1 << 14;

// Row blocks that a kernel may take at once.
constexpr std::int64_t kTileRowBlocks = 4;

struct Sizes {
  std::int64_t chunk = 0;       // vectors
  std::int64_t acc_stride = 0;  // floats of one half
  std::int64_t acc = 0;         // floats of all halves of a vector
};

Sizes sizes_of(const PreparedMatrix& p, const BitGemmCall& call) {
  Sizes s;
  s.acc_stride = row_blocks(p.matrix->rows) * kBlockRows;
  s.acc = activation_halves(call.activation_bits) * s.acc_stride;
  const std::int64_t activation_bytes =
      packed_bytes(p.kernel->activations, col_blocks(p.matrix->cols), call.activation_bits);
  const std::int64_t acc_bytes = p.digit_count() * s.acc * static_cast<std::int64_t>(sizeof(float));
  const std::int64_t fitting =
      std::min(kChunkActivationBytes / activation_bytes, kChunkAccumulatorBytes / acc_bytes);
  const std::int64_t even = fitting / kMinChunk * kMinChunk;
  s.chunk = std::min(call.batch, std::clamp(even, kMinChunk, kMaxChunk));
  return s;
}

Status no_memory() {
  return {ErrorCode::out_of_memory, "no memory for the scratch space of a product of bit-layers",
          "free memory or use a smaller batch"};
}

Status not_finite() {
  return {ErrorCode::not_finite, "the input of this node holds a NaN or an infinity",
          "check the values that go into the network"};
}

// One call at work. It has the accumulators of one chunk, and the packed vectors of one chunk, or
// of the whole batch if they are to be kept.
class Product {
 public:
  Product(const PreparedMatrix& prepared, const BitGemmCall& call, ThreadPool& pool,
          BufferPool& buffers)
      : p_(prepared), call_(call), pool_(pool), buffers_(buffers), sizes_(sizes_of(p_, call)) {}

  Status run() {
    const bool shared = call_.packed != nullptr;
    const PackedKey key{p_.kernel->activations, call_.activation_bits, p_.run_blocks,
                        p_.matrix->cols, shared ? call_.batch : sizes_.chunk};
    const PackedBuffer* const ready = shared ? call_.packed->find(key) : nullptr;
    const PackedBuffer buffer = ready != nullptr ? *ready : PackedBuffer::allocate(key, buffers_);
    const std::int64_t acc_floats = p_.digit_count() * sizes_.chunk * sizes_.acc;
    const std::shared_ptr<void> acc =
        buffers_.take(static_cast<std::size_t>(acc_floats) * sizeof(float));
    if (buffer.memory == nullptr || acc == nullptr) return no_memory();
    acc_ = static_cast<float*>(acc.get());
    for (std::int64_t first = 0; first < call_.batch; first += sizes_.chunk) {
      const std::int64_t count = std::min(sizes_.chunk, call_.batch - first);
      vectors_ = buffer.vectors.from(shared ? first : 0);
      if (ready == nullptr) PBATCH_RETURN_IF_ERROR(quantize(first, count));
      multiply(first, count);
    }
    if (shared && ready == nullptr) call_.packed->keep(key, buffer);
    return Status::ok();
  }

 private:
  std::int64_t blocks_across() const { return col_blocks(p_.matrix->cols); }

  Status quantize(std::int64_t first, std::int64_t count) {
    std::atomic<ErrorCode> error{ErrorCode::ok};
    const auto task = [&](std::int64_t begin, std::int64_t end) {
      const ErrorCode code = quantize_range(first, begin, end);
      if (code != ErrorCode::ok) error.store(code, std::memory_order_relaxed);
    };
    if (count == 1 || count * p_.matrix->cols < kSerialElements) {
      task(0, count);
    } else {
      pool_.parallel_for(count, 1, task);
    }
    switch (error.load(std::memory_order_relaxed)) {
      case ErrorCode::ok:
        return Status::ok();
      case ErrorCode::not_finite:
        return not_finite();
      default:
        return no_memory();
    }
  }

  ErrorCode quantize_range(std::int64_t first, std::int64_t begin, std::int64_t end) {
    const ActivationLayout layout = p_.kernel->activations;
    const bool direct = layout == kActivationNumbers || layout == kActivationDigits;
    const std::int64_t blocks = blocks_across();
    std::shared_ptr<void> numbers;  // of one vector, for a layout that no quantizer writes
    if (!direct) {
      numbers = buffers_.take(static_cast<std::size_t>(
          packed_bytes(kActivationNumbers, blocks, call_.activation_bits)));
      if (numbers == nullptr) return ErrorCode::out_of_memory;
    }
    const QuantizeFn quantize_vector = quantizer_for(p_.kernel->isa).run;
    const PackFn pack = packer_for(p_.kernel->isa, layout).run;
    for (std::int64_t v = begin; v < end; ++v) {
      const PackedVectors to = vectors_.from(v);
      const int finite =
          quantize_vector(call_.x + (first + v) * call_.ldx, p_.matrix->cols, blocks, p_.run_blocks,
                          call_.activation_bits, direct ? layout : kActivationNumbers,
                          direct ? to.activations : static_cast<std::uint8_t*>(numbers.get()),
                          to.run_sums, to.scales);
      if (finite == 0) return ErrorCode::not_finite;
      if (!direct) {
        pack(static_cast<const std::int32_t*>(numbers.get()), blocks, call_.activation_bits,
             to.activations);
      }
    }
    return ErrorCode::ok;
  }

  void multiply(std::int64_t first, std::int64_t count) {
    const std::int64_t blocks = row_blocks(p_.matrix->rows);
    const auto task = [&](std::int64_t begin, std::int64_t end) {
      for (int d = 0; d < p_.digit_count(); ++d) run_kernel(d, count, begin, end);
      finish(first, count, begin, end);
    };
    const std::int64_t macs =
        p_.matrix->rows * p_.matrix->cols * count * (call_.activation_bits / 8) * p_.digit_count();
    if (macs < kSerialMacs) {
      task(0, blocks);
    } else {
      pool_.parallel_for(blocks, grain_of(blocks), task);
    }
  }

  // Whole tiles, if that leaves threads enough of them to end together.
  std::int64_t grain_of(std::int64_t blocks) const {
    std::int64_t grain = kTileRowBlocks;
    while (grain > 1 && blocks < 4 * grain * pool_.threads()) grain /= 2;
    return grain;
  }

  float* accumulators(int digit) const { return acc_ + digit * sizes_.chunk * sizes_.acc; }

  void run_kernel(int d, std::int64_t count, std::int64_t begin, std::int64_t end) {
    const WeightDigit& digit = p_.digits[static_cast<std::size_t>(d)];
    BitKernelArgs args = {};
    std::copy(digit.planes.begin(), digit.planes.end(), args.planes);
    args.n_planes = digit.n_planes;
    args.field_bits = field_bits(digit.n_planes, row_blocks(p_.matrix->rows));
    args.col_blocks = blocks_across();
    args.run_blocks = p_.run_blocks;
    args.scales = p_.scales.get();
    args.activation_bits = call_.activation_bits;
    args.activations = vectors_.activations;
    args.activation_stride = vectors_.activation_stride;
    args.run_sums = vectors_.run_sums;
    args.batch = count;
    args.acc = accumulators(d);
    args.acc_stride = sizes_.acc_stride;
    p_.kernel->run(&args, begin, end);
  }

  void finish(std::int64_t first, std::int64_t count, std::int64_t begin, std::int64_t end) {
    EpilogueArgs args = {};
    args.acc_stride = sizes_.acc_stride;
    args.weight_bits = p_.weight_bits;
    args.activation_bits = call_.activation_bits;
    args.row_scale = p_.matrix->row_scale.data();
    args.bias = call_.bias;
    args.activation = call_.activation;
    for (std::int64_t v = 0; v < count; ++v) {
      for (int d = 0; d < p_.digit_count(); ++d) {
        args.acc[d] = accumulators(d) + v * sizes_.acc;
      }
      args.activation_scale = vectors_.scales[v];
      epilogue(args, begin * kBlockRows, std::min(end * kBlockRows, p_.matrix->rows),
               call_.y + (first + v) * call_.ldy);
    }
  }

  const PreparedMatrix& p_;
  const BitGemmCall& call_;
  ThreadPool& pool_;
  BufferPool& buffers_;
  const Sizes sizes_;
  PackedVectors vectors_;  // of the chunk at work
  float* acc_ = nullptr;   // [digits][chunk][halves][acc_stride]
};

}  // namespace

Status bit_gemm(const PreparedMatrix& matrix, const BitGemmCall& call, ThreadPool& pool,
                BufferPool& buffers) {
  if (call.activation_bits != 8 && call.activation_bits != 16 && call.activation_bits != 32) {
    return {ErrorCode::invalid_argument,
            "activations of " + std::to_string(call.activation_bits) + " bits",
            "use 8, 16 or 32 activation bits"};
  }
  if (call.batch <= 0) return Status::ok();
  return Product(matrix, call, pool, buffers).run();
}

}  // namespace pbatch
