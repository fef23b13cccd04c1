#include "product/bit_product.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <utility>

#include "kernel/prefetch.h"
#include "layout/layout.h"

namespace pbatch {
namespace {

constexpr std::int64_t kMaxChunk = 64, kMinChunk = 8;
constexpr std::int64_t kChunkActivationBytes = 512 << 10;
constexpr std::int64_t kChunkAccumulatorBytes = 4 << 20;

// Work that is done before another thread, even one that is awake, has been of use.
constexpr std::int64_t kSerialElements = 1 << 14;
constexpr std::int64_t kSerialMacs = 1 << 18;

// Layouts that quantizers write themselves; others are packed from numbers.
bool is_direct(ActivationLayout layout) {
  return layout == kActivationNumbers || layout == kActivationDigits;
}

std::int64_t padded_rows(const PreparedMatrix& m) {
  return row_blocks(m.matrix->rows) * kBlockRows;
}

// Of one vector, all digits.
std::int64_t accumulator_bytes(const PreparedMatrix& m, int activation_bits) {
  return m.digit_count() * activation_halves(activation_bits) * padded_rows(m) *
         static_cast<std::int64_t>(sizeof(float));
}

std::int64_t outlier_bytes(const PreparedMatrix& m) {
  return m.outliers.empty() ? 0 : padded_rows(m) * static_cast<std::int64_t>(sizeof(float));
}

std::int64_t numbers_bytes(const PreparedMatrix& m, int activation_bits) {
  return packed_bytes(kActivationNumbers, col_blocks(m.matrix->cols), activation_bits);
}

// Row blocks that a kernel may take at once.
constexpr std::int64_t kTileRowBlocks = 4;

// Whole tiles, if that leaves threads enough of them to end together.
std::int64_t grain_of(std::int64_t blocks, const ThreadPool& pool) {
  std::int64_t grain = kTileRowBlocks;
  while (grain > 1 && blocks < 4 * grain * pool.threads()) grain /= 2;
  return grain;
}

}  // namespace

Status no_product_memory() {
  return {ErrorCode::out_of_memory, "no memory for the scratch space of a product of bit-layers",
          "free memory or use a smaller batch"};
}

Status input_is_not_finite() {
  return {ErrorCode::not_finite, "the input of this node holds a NaN or an infinity",
          "check the values that go into the network"};
}

struct BitProduct::Part {
  PackedVectors vectors;
  std::int64_t first = 0, count = 0;  // rows of the output
  std::int64_t begin = 0, end = 0;    // row blocks
};

PackedKey BitProduct::key_of(const PreparedMatrix& m, std::int64_t batch, int activation_bits) {
  return {m.kernel->activations, activation_bits, m.run_blocks, m.matrix->cols, batch};
}

std::int64_t BitProduct::chunk_of(const PreparedMatrix& m, std::int64_t batch,
                                  int activation_bits) {
  const std::int64_t activation_bytes =
      packed_bytes(m.kernel->activations, col_blocks(m.matrix->cols), activation_bits);
  const std::int64_t fitting =
      std::min(kChunkActivationBytes / activation_bytes,
               kChunkAccumulatorBytes / accumulator_bytes(m, activation_bits));
  const std::int64_t even = fitting / kMinChunk * kMinChunk;
  return std::min(batch, std::clamp(even, kMinChunk, kMaxChunk));
}

std::size_t BitProduct::scratch_bytes(const PreparedMatrix& m, std::int64_t batch,
                                      int activation_bits) {
  const std::int64_t numbers =
      is_direct(m.kernel->activations) ? 0 : numbers_bytes(m, activation_bits);
  return static_cast<std::size_t>(chunk_of(m, batch, activation_bits) *
                                      accumulator_bytes(m, activation_bits) +
                                  outlier_bytes(m) + numbers);
}

BitProduct::BitProduct(const PreparedMatrix& matrix, std::int64_t batch, int activation_bits,
                       const PackedVectors& packed, void* scratch, BufferPool& buffers)
    : matrix_(&matrix),
      activation_bits_(activation_bits),
      buffers_(&buffers),
      packed_(packed),
      chunk_(chunk_of(matrix, batch, activation_bits)),
      acc_stride_(padded_rows(matrix)),
      acc_size_(activation_halves(activation_bits) * acc_stride_),
      acc_(static_cast<float*>(scratch)),
      added_(acc_ + chunk_ * matrix.digit_count() * acc_size_),
      numbers_(reinterpret_cast<char*>(added_) + outlier_bytes(matrix)) {}

bool BitProduct::is_worth_sharing(std::int64_t count, std::int64_t row_blocks) const {
  return row_blocks * kBlockRows * matrix_->matrix->cols * count * (activation_bits_ / 8) *
             matrix_->digit_count() >=
         kSerialMacs;
}

Status BitProduct::quantize(const float* x, std::int64_t ldx, std::int64_t first,
                            std::int64_t count, ThreadPool& pool) {
  const PhaseTimer timer(phases_ == nullptr ? nullptr : &phases_->quantize);
  const PackedVectors to = packed_.from(first);
  const bool direct = is_direct(matrix_->kernel->activations);
  ErrorCode code = ErrorCode::ok;
  if (count == 1 || count * matrix_->matrix->cols < kSerialElements) {
    code = quantize_range(x, ldx, to, numbers_, 0, count);
  } else {
    std::atomic<ErrorCode> error{ErrorCode::ok};
    pool.parallel_for(count, 1, [&](std::int64_t begin, std::int64_t end) {
      const std::shared_ptr<void> numbers =
          direct
              ? nullptr
              : buffers_->take(static_cast<std::size_t>(numbers_bytes(*matrix_, activation_bits_)));
      const ErrorCode e = quantize_range(x, ldx, to, numbers.get(), begin, end);
      if (e != ErrorCode::ok) error.store(e, std::memory_order_relaxed);
    });
    code = error.load(std::memory_order_relaxed);
  }
  switch (code) {
    case ErrorCode::ok:
      return Status::ok();
    case ErrorCode::not_finite:
      return input_is_not_finite();
    default:
      return no_product_memory();
  }
}

ErrorCode BitProduct::quantize_range(const float* x, std::int64_t ldx, const PackedVectors& to,
                                     void* numbers, std::int64_t begin, std::int64_t end) const {
  const ActivationLayout layout = matrix_->kernel->activations;
  const bool direct = is_direct(layout);
  if (!direct && numbers == nullptr) return ErrorCode::out_of_memory;
  const std::int64_t cols = matrix_->matrix->cols, blocks = col_blocks(cols);
  const QuantizeFn quantize_vector = quantizer_for(matrix_->kernel->isa).run;
  const PackFn pack = packer_for(matrix_->kernel->isa, layout).run;
  for (std::int64_t v = begin; v < end; ++v) {
    const PackedVectors one = to.from(v);
    const int finite = quantize_vector(
        x + v * ldx, cols, blocks, matrix_->run_blocks, activation_bits_,
        direct ? layout : kActivationNumbers,
        direct ? one.activations : static_cast<std::uint8_t*>(numbers), one.run_sums, one.scales);
    if (finite == 0) return ErrorCode::not_finite;
    if (!direct) {
      pack(static_cast<const std::int32_t*>(numbers), blocks, activation_bits_, one.activations);
    }
  }
  return ErrorCode::ok;
}

void BitProduct::multiply(std::int64_t first, std::int64_t count, std::int64_t row_block_begin,
                          std::int64_t row_block_end, const BitProductOutput& out) const {
  for (std::int64_t done = 0; done < count; done += chunk_) {
    const Part part{packed_.from(first + done), done, std::min(chunk_, count - done),
                    row_block_begin, row_block_end};
    {
      const PhaseTimer timer(phases_ == nullptr ? nullptr : &phases_->product);
      for (int d = 0; d < matrix_->digit_count(); ++d) run_kernel(d, part);
    }
    const PhaseTimer timer(phases_ == nullptr ? nullptr : &phases_->epilogue);
    finish(part, out);
  }
}

std::vector<float> BitProduct::sum_columns() const {
  const std::int64_t cols = matrix_->matrix->cols, blocks = col_blocks(cols);
  std::vector<std::int32_t> ones(static_cast<std::size_t>(blocks * kBlockCols), 0);
  std::fill_n(ones.begin(), cols, 1);
  packer_for(matrix_->kernel->isa, matrix_->kernel->activations)
      .run(ones.data(), blocks, activation_bits_, packed_.activations);
  const std::int64_t run = matrix_->run_blocks * kBlockCols;
  for (std::int64_t i = 0; i * run < cols; ++i) {
    packed_.run_sums[i] = static_cast<std::int32_t>(std::min(run, cols - i * run));
  }
  const std::int64_t rows = row_blocks(matrix_->matrix->rows);
  std::vector<float> sums;
  for (int d = 0; d < matrix_->digit_count(); ++d) {
    run_kernel(d, {packed_, 0, 1, 0, rows});
    sums.insert(sums.end(), accumulators(d), accumulators(d) + rows * kBlockRows);
  }
  return sums;
}

void BitProduct::multiply_all(std::int64_t first, std::int64_t count, const BitProductOutput& out,
                              ThreadPool* pool) const {
  const std::int64_t blocks = row_blocks(matrix_->matrix->rows);
  if (pool == nullptr || !is_worth_sharing(count, blocks)) {
    multiply(first, count, 0, blocks, out);
    return;
  }
  pool->parallel_for(blocks, grain_of(blocks, *pool), [&](std::int64_t begin, std::int64_t end) {
    multiply(first, count, begin, end, out);
  });
}

float* BitProduct::accumulators(int digit) const { return acc_ + digit * chunk_ * acc_size_; }

void BitProduct::run_kernel(int d, const Part& part) const {
  const WeightDigit& digit = matrix_->digits[static_cast<std::size_t>(d)];
  BitKernelArgs args = {};
  std::copy(digit.planes.begin(), digit.planes.end(), args.planes);
  args.n_planes = digit.n_planes;
  args.row_blocks = row_blocks(matrix_->matrix->rows);
  args.col_blocks = col_blocks(matrix_->matrix->cols);
  args.run_blocks = matrix_->run_blocks;
  args.scales = matrix_->scales.get();
  args.activation_bits = activation_bits_;
  args.activations = part.vectors.activations;
  args.activation_stride = part.vectors.activation_stride;
  args.run_sums = part.vectors.run_sums;
  args.batch = part.count;
  args.acc = accumulators(d);
  args.acc_stride = acc_stride_;
  args.prefetch = fetches_ahead(*matrix_->kernel, digit.n_planes,
                                args.row_blocks * kBlockRows * matrix_->matrix->cols);
  matrix_->kernel->run(&args, part.begin, part.end);
}

void BitProduct::finish(const Part& part, const BitProductOutput& out) const {
  EpilogueArgs args = {};
  args.acc_stride = acc_stride_;
  args.weight_bits = matrix_->weight_bits;
  args.activation_bits = activation_bits_;
  args.row_scale = matrix_->matrix->row_scale.data();
  args.bias = out.bias;
  for (int d = 0; out.ones != nullptr && d < matrix_->digit_count(); ++d) {
    args.ones[d] = out.ones + d * acc_stride_;
  }
  args.zero = out.zero;
  args.activation = out.activation;
  const std::int64_t rows = matrix_->matrix->rows;
  const EpilogueFn epilogue = epilogue_for(matrix_->kernel->isa).run;
  for (std::int64_t v = 0; v < part.count; ++v) {
    for (int d = 0; d < matrix_->digit_count(); ++d) {
      args.acc[d] = accumulators(d) + v * acc_size_;
    }
    args.activation_scale = part.vectors.scales[v];
    if (!matrix_->outliers.empty()) {
      matrix_->outliers.run(part.begin, part.end, out.x + (part.first + v) * out.ldx,
                            out.only_outlier_columns, added_);
      args.added = added_;
    }
    epilogue(&args, part.begin * kBlockRows, std::min(part.end * kBlockRows, rows),
             out.y + (part.first + v) * out.ldy);
  }
}

}  // namespace pbatch
