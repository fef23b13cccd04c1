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

// Bytes of everything a chunk needs; every part starts on a cache line.
struct Sizes {
  std::int64_t chunk = 0;              // vectors
  std::int64_t activation_stride = 0;  // bytes of a packed vector
  std::int64_t run_sums = 0;           // of a vector, in elements
  std::int64_t acc_stride = 0;         // floats of one half
  std::int64_t acc = 0;                // floats of all halves of a vector
};

Sizes sizes_of(const PreparedMatrix& p, const BitGemmCall& call) {
  const std::int64_t halves = activation_halves(call.activation_bits);
  Sizes s;
  s.activation_stride =
      packed_bytes(p.kernel->activations, col_blocks(p.matrix->cols), call.activation_bits);
  s.run_sums = halves * p.runs;
  s.acc_stride = row_blocks(p.matrix->rows) * kBlockRows;
  s.acc = halves * s.acc_stride;
  const std::int64_t acc_bytes = p.digit_count() * s.acc * static_cast<std::int64_t>(sizeof(float));
  const std::int64_t fitting =
      std::min(kChunkActivationBytes / s.activation_stride, kChunkAccumulatorBytes / acc_bytes);
  const std::int64_t even = fitting / kMinChunk * kMinChunk;
  s.chunk = std::min(call.batch, std::clamp(even, kMinChunk, kMaxChunk));
  return s;
}

// A buffer from the pool, as an array of T.
template <class T>
class Scratch {
 public:
  Scratch(BufferPool& pool, std::int64_t count)
      : memory_(pool.take(static_cast<std::size_t>(count) * sizeof(T))) {}
  T* get() const { return static_cast<T*>(memory_.get()); }
  explicit operator bool() const { return memory_ != nullptr; }

 private:
  std::shared_ptr<void> memory_;
};

Status no_memory() {
  return {ErrorCode::out_of_memory, "no memory for the scratch space of a product of bit-layers",
          "free memory or use a smaller batch"};
}

Status not_finite() {
  return {ErrorCode::not_finite, "the input of this node holds a NaN or an infinity",
          "check the values that go into the network"};
}

// One call at work, with the scratch of one chunk.
class Product {
 public:
  Product(const PreparedMatrix& prepared, const BitGemmCall& call, ThreadPool& pool,
          BufferPool& buffers)
      : p_(prepared),
        call_(call),
        pool_(pool),
        buffers_(buffers),
        sizes_(sizes_of(prepared, call)),
        activations_(buffers, sizes_.chunk * sizes_.activation_stride),
        run_sums_(buffers, sizes_.chunk * sizes_.run_sums),
        scales_(buffers, sizes_.chunk),
        acc_(buffers, p_.digit_count() * sizes_.chunk * sizes_.acc) {}

  Status run() {
    if (!activations_ || !run_sums_ || !scales_ || !acc_) return no_memory();
    for (std::int64_t first = 0; first < call_.batch; first += sizes_.chunk) {
      const std::int64_t count = std::min(sizes_.chunk, call_.batch - first);
      PBATCH_RETURN_IF_ERROR(quantize(first, count));
      multiply(first, count);
    }
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
    const QuantizeFn quantize_vector = quantizer_for(p_.kernel->isa).run;
    const PackFn pack = packer_for(p_.kernel->isa, layout).run;
    const std::int64_t blocks = blocks_across();
    const Scratch<std::int32_t> numbers(buffers_, direct ? 1 : blocks * kBlockCols);
    if (!numbers) return ErrorCode::out_of_memory;
    for (std::int64_t v = begin; v < end; ++v) {
      std::uint8_t* const out = activations_.get() + v * sizes_.activation_stride;
      const int finite =
          quantize_vector(call_.x + (first + v) * call_.ldx, p_.matrix->cols, blocks, p_.run_blocks,
                          call_.activation_bits, direct ? layout : kActivationNumbers,
                          direct ? out : reinterpret_cast<std::uint8_t*>(numbers.get()),
                          run_sums_.get() + v * sizes_.run_sums, scales_.get() + v);
      if (finite == 0) return ErrorCode::not_finite;
      if (!direct) pack(numbers.get(), blocks, call_.activation_bits, out);
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

  float* accumulators(int digit) const { return acc_.get() + digit * sizes_.chunk * sizes_.acc; }

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
    args.activations = activations_.get();
    args.activation_stride = sizes_.activation_stride;
    args.run_sums = run_sums_.get();
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
      args.activation_scale = scales_.get()[v];
      epilogue(args, begin * kBlockRows, std::min(end * kBlockRows, p_.matrix->rows),
               call_.y + (first + v) * call_.ldy);
    }
  }

  const PreparedMatrix& p_;
  const BitGemmCall& call_;
  ThreadPool& pool_;
  BufferPool& buffers_;
  const Sizes sizes_;
  const Scratch<std::uint8_t> activations_;
  const Scratch<std::int32_t> run_sums_;
  const Scratch<float> scales_;
  const Scratch<float> acc_;
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
