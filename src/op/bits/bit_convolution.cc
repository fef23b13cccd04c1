#include "op/bits/bit_convolution.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <string>
#include <vector>

#include "graph/bit_operators.h"
#include "kernel/registry.h"
#include "layout/layout.h"
#include "product/bit_product.h"
#include "product/input_observer.h"
#include "product/matrix_cache.h"

namespace pbatch {
namespace {

// Windows of a product: enough for the batched kernels, and their digits stay in the first caches.
constexpr std::int64_t kTileWindows = 64;
constexpr int kMaxRunBlocks = int{kMaxRunCols} / int{kBlockCols};

std::size_t whole_lines(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

std::size_t float_bytes(std::int64_t count) {
  return whole_lines(static_cast<std::size_t>(count) * sizeof(float));
}

// Copies digits of `count` columns between vectors that lie as kActivationDigits: `bytes` of each
// column, those of 32 columns behind each other.
void copy_digits(const std::uint8_t* from, std::int64_t first, std::uint8_t* to, std::int64_t at,
                 std::int64_t count, int bytes) {
  if (bytes == 1) {
    std::memcpy(to + at, from + first, static_cast<std::size_t>(count));
    return;
  }
  while (count > 0) {
    const std::int64_t here = first % kBlockCols, there = at % kBlockCols;
    const std::int64_t part = std::min(count, kBlockCols - std::max(here, there));
    const std::uint8_t* source = from + (first - here) * bytes + here;
    std::uint8_t* target = to + (at - there) * bytes + there;
    for (int d = 0; d < bytes; ++d, source += kBlockCols, target += kBlockCols) {
      std::memcpy(target, source, static_cast<std::size_t>(part));
    }
    first += part;
    at += part;
    count -= part;
  }
}

// Copies at least `count` bytes, in steps that leave nothing to a call; up to kOverrun more.
constexpr std::int64_t kOverrun = ConvColumnOrder::kBlock - 1;
void copy_in_steps(const std::uint8_t* from, std::uint8_t* to, std::int64_t count) {
  for (std::int64_t i = 0; i < count; i += kOverrun + 1)
    std::memcpy(to + i, from + i, kOverrun + 1);
}

// The bytes of `count` neighbouring pixels, under the kernel's elements from `tap` on, to their
// columns of the window; up to kOverrun more behind each pixel's last block. By value: a byte that
// is stored may be a part of anything that is referred to.
void copy_blocks(const std::uint8_t* pixels, std::uint8_t* window, ConvColumnOrder order,
                 std::int64_t tap, std::int64_t count) {
  for (std::int64_t b = 0; b < order.blocks(); ++b) {
    const std::int64_t width = order.width(b);
    const std::uint8_t* from = pixels + b * ConvColumnOrder::kBlock;
    std::uint8_t* to = window + order.column(b, tap);
    for (std::int64_t t = 0; t < count; ++t, from += order.channels, to += width) {
      std::memcpy(to, from, ConvColumnOrder::kBlock);
    }
  }
}

// RunSumsFn of a vector of numbers.
void sum_numbers(const std::int32_t* q, std::int64_t blocks, int run_blocks, int activation_bits,
                 std::int32_t* run_sums) {
  for (int half = 0; half < activation_halves(activation_bits); ++half) {
    for (std::int64_t begin = 0; begin < blocks; begin += run_blocks) {
      const std::int64_t end = std::min(begin + run_blocks, blocks);
      std::int32_t sum = 0;
      for (std::int64_t c = begin * kBlockCols; c < end * kBlockCols; ++c) {
        const std::int32_t high = high_half(q[c]);
        sum += activation_bits != 32 ? q[c] : half == 0 ? high : q[c] - 32768 * high;
      }
      *run_sums++ = sum;
    }
  }
}

}  // namespace

Result<ConvColumns> conv_columns(const Node& node) {
  PBATCH_ASSIGN_OR_RETURN(const std::string order, node.string_attr(kColumnOrder, ""));
  if (order.empty()) return ConvColumns::channels_first;
  if (order == kChannelBlocks) return ConvColumns::channel_blocks;
  return Status(ErrorCode::unsupported, "unknown order of columns '" + order + "'",
                "update pbatch or make the model anew");
}

// Of one thread: where everything that a strip needs is.
struct BitConvolution::Memory {
  float* pixels = nullptr;        // [pixels][channels] of a plain image
  std::uint8_t* strip = nullptr;  // the same, quantized: bytes, or a vector of digits or numbers
  std::int32_t* strip_sums = nullptr;  // what the symmetric quantizer also writes
  void* packed = nullptr;              // of a tile
  void* product = nullptr;
  std::int32_t* numbers = nullptr;  // of one window
  float* products = nullptr;        // [tile][rows] for a plain result
  float* outliers = nullptr;        // [tile][columns with outliers]: the windows there
  std::size_t bytes = 0;
  float scale = 0;        // of the strip
  std::int32_t zero = 0;  // of affine codes: q of a pixel off the image is -zero
};

BitConvolution::BitConvolution(const ConvGeometry& geometry, Layout x_layout, Layout y_layout,
                               ConvColumns columns, const BitGemmCall& layer,
                               std::shared_ptr<const PreparedMatrix> matrix, Isa isa)
    : geometry_(geometry),
      x_layout_(geometry.channels == 1 ? Layout::channels_last : x_layout),
      y_layout_(y_layout),
      columns_(geometry.kernel_size() == 1 ? ConvColumns::channel_blocks : columns),
      order_{geometry.channels, geometry.kernel_size()},
      layer_(layer),
      matrix_(std::move(matrix)),
      quantize_affine_(affine_quantizer_for(isa).run),
      quantize_symmetric_(quantizer_for(isa).run),
      sum_runs_(run_sums_for(isa).run),
      pack_(packer_for(isa, matrix_->kernel->activations).run),
      windows_(geometry),
      strips_(geometry),
      tile_(tile_of(geometry)),
      most_pixels_(strips_.most_pixels()),
      direct_(matrix_->kernel->activations == kActivationDigits &&
              columns_ == ConvColumns::channel_blocks),
      vectors_(direct_ && windows_are_vectors()) {
  for (const std::int64_t d : geometry.in) pixels_ *= d;
  find_outlier_columns();
}

Result<std::unique_ptr<const BitConvolution>> BitConvolution::create(
    const ConvGeometry& geometry, Layout x_layout, Layout y_layout, ConvColumns columns,
    const BitGemmCall& layer, std::shared_ptr<const PreparedMatrix> matrix, Isa isa) {
  std::unique_ptr<BitConvolution> made(
      new BitConvolution(geometry, x_layout, y_layout, columns, layer, std::move(matrix), isa));
  if (!made->is_affine()) return std::unique_ptr<const BitConvolution>(std::move(made));
  BufferPool buffers;
  const std::shared_ptr<void> scratch = buffers.take(made->scratch_bytes());
  if (scratch == nullptr) return no_product_memory();
  const Memory memory = made->memory_at(scratch.get());
  const PackedKey key = BitProduct::key_of(*made->matrix_, made->tile_, layer.activation_bits);
  made->ones_ = BitProduct(*made->matrix_, made->tile_, layer.activation_bits,
                           packed_vectors_at(key, memory.packed), memory.product, buffers)
                    .sum_columns();
  return std::unique_ptr<const BitConvolution>(std::move(made));
}

std::int64_t BitConvolution::tile_of(const ConvGeometry& geometry) {
  return std::min(geometry.positions(), kTileWindows);
}

// Whether the bytes of a pixel are a packed vector, and there is a window for each.
bool BitConvolution::windows_are_vectors() const {
  if (!is_affine() || geometry_.kernel_size() != 1) return false;
  if (packed_bytes(kActivationDigits, col_blocks(geometry_.channels), 8) != geometry_.channels) {
    return false;
  }
  for (std::size_t d = 0; d < geometry_.spatial_rank(); ++d) {
    if (geometry_.strides[d] != 1 || geometry_.in[d] != geometry_.out[d]) return false;
  }
  return true;
}

BitConvolution::Memory BitConvolution::memory_at(void* scratch) const {
  Memory m;
  char* const memory = static_cast<char*>(scratch);
  const auto take = [&](std::size_t bytes) {
    void* const at = memory == nullptr ? nullptr : memory + m.bytes;
    m.bytes += whole_lines(bytes);
    return at;
  };
  const int bits = layer_.activation_bits;
  const std::int64_t elements = most_pixels_ * geometry_.channels, blocks = col_blocks(elements);
  const ActivationLayout layout = direct_ || is_affine() ? kActivationDigits : kActivationNumbers;
  if (x_layout_ == Layout::plain) m.pixels = static_cast<float*>(take(float_bytes(elements)));
  m.strip = static_cast<std::uint8_t*>(
      take(static_cast<std::size_t>(packed_bytes(layout, blocks, bits) + kOverrun)));
  if (!is_affine()) {
    m.strip_sums = static_cast<std::int32_t*>(
        take(static_cast<std::size_t>(activation_halves(bits) * (blocks / kMaxRunBlocks + 1)) *
             sizeof(std::int32_t)));
  }
  m.packed = take(packed_buffer_bytes(BitProduct::key_of(*matrix_, tile_, bits)));
  m.product = take(BitProduct::scratch_bytes(*matrix_, tile_, bits));
  if (!direct_) {
    m.numbers = static_cast<std::int32_t*>(
        take(static_cast<std::size_t>(col_blocks(matrix_->matrix->cols) * kBlockCols) *
             sizeof(std::int32_t)));
  }
  if (y_layout_ == Layout::plain) {
    m.products = static_cast<float*>(take(float_bytes(tile_ * matrix_->matrix->rows)));
  }
  const auto outliers = static_cast<std::int64_t>(outlier_columns_.size());
  if (outliers > 0) m.outliers = static_cast<float*>(take(float_bytes(tile_ * outliers)));
  return m;
}

std::size_t BitConvolution::scratch_bytes() const { return memory_at(nullptr).bytes; }

Status BitConvolution::run(const StepCall& step) const {
  const std::int64_t strips = geometry_.batch * strips_.count(), threads = step.pool.threads();
  const bool shared = threads > 1 && strips >= 2 * threads;
  if (!shared || ObserveInputs::of_this_thread() != nullptr) {
    for (std::int64_t i = 0; i < strips; ++i) {
      PBATCH_RETURN_IF_ERROR(run_strip(step, i, step.scratch, &step.pool));
    }
    return Status::ok();
  }
  std::atomic<ErrorCode> error{ErrorCode::ok};
  step.pool.parallel_for(threads, 1, [&](std::int64_t begin, std::int64_t end) {
    const std::shared_ptr<void> own = begin == 0 ? nullptr : step.buffers.take(scratch_bytes());
    void* const scratch = begin == 0 ? step.scratch : own.get();
    if (scratch == nullptr) error.store(ErrorCode::out_of_memory, std::memory_order_relaxed);
    for (std::int64_t i = begin * strips / threads; i < end * strips / threads; ++i) {
      if (error.load(std::memory_order_relaxed) != ErrorCode::ok) return;
      const Status status = run_strip(step, i, scratch, nullptr);
      if (!status) error.store(status.code(), std::memory_order_relaxed);
    }
  });
  switch (error.load()) {
    case ErrorCode::ok:
      return Status::ok();
    case ErrorCode::out_of_memory:
      return no_product_memory();
    default:
      return input_is_not_finite();
  }
}

Status BitConvolution::run_strip(const StepCall& step, std::int64_t i, void* scratch,
                                 ThreadPool* pool) const {
  const std::int64_t channels = geometry_.channels, rows = matrix_->matrix->rows;
  const std::int64_t n = i / strips_.count(), positions = geometry_.positions();
  const ImageStrip strip = strips_.at(i % strips_.count());
  Memory memory = memory_at(scratch);
  const std::int64_t image = channels * pixels_;
  const float* const pixels =
      channels_last_pixels(step.input<float>(0) + n * image, strip, memory.pixels);
  if (InputObserver* const observer = ObserveInputs::of_this_thread()) {
    observe(*observer, pixels, strip);
  }
  const int bits = layer_.activation_bits;
  {
    const PhaseTimer timer(step.phases == nullptr ? nullptr : &step.phases->quantize);
    PBATCH_RETURN_IF_ERROR(
        quantize(pixels, (strip.pixel_end - strip.pixel_begin) * channels, &memory));
  }
  PackedVectors packed =
      packed_vectors_at(BitProduct::key_of(*matrix_, tile_, bits), memory.packed);
  std::fill_n(packed.scales, tile_, memory.scale);
  float* const target = step.output<float>(0) + n * rows * positions;
  for (std::int64_t begin = strip.window_begin; begin < strip.window_end; begin += tile_) {
    const std::int64_t end = std::min(begin + tile_, strip.window_end);
    if (vectors_) {
      packed.activations = memory.strip + (begin - strip.pixel_begin) * channels;
    }
    {
      const PhaseTimer timer(step.phases == nullptr ? nullptr : &step.phases->quantize);
      direct_ ? gather_digits(strip, begin, end, memory, packed)
              : gather_numbers(strip, begin, end, memory, packed);
    }
    BitProduct product(*matrix_, tile_, bits, packed, memory.product, step.buffers);
    product.time_parts(step.phases);
    const bool last = y_layout_ == Layout::channels_last;
    float* const y = last ? target + begin * rows : memory.products;
    if (memory.outliers != nullptr) gather_outliers(strip, pixels, begin, end, memory.outliers);
    product.multiply_all(
        0, end - begin,
        {y, rows, layer_.bias, layer_.activation, is_affine() ? ones_.data() : nullptr,
         static_cast<float>(memory.zero), memory.outliers,
         static_cast<std::int64_t>(outlier_columns_.size()), true},
        pool);
    if (last) continue;
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t p = begin; p < end; ++p) {
        target[r * positions + p] = y[(p - begin) * rows + r];
      }
    }
  }
  return Status::ok();
}

// The strip's pixels [pixels][channels].
const float* BitConvolution::channels_last_pixels(const float* image, const ImageStrip& strip,
                                                  float* to) const {
  const std::int64_t channels = geometry_.channels;
  if (x_layout_ == Layout::channels_last) return image + strip.pixel_begin * channels;
  const std::int64_t count = strip.pixel_end - strip.pixel_begin;
  for (std::int64_t c = 0; c < channels; ++c) {
    const float* const from = image + c * pixels_ + strip.pixel_begin;
    for (std::int64_t p = 0; p < count; ++p) to[p * channels + c] = from[p];
  }
  return to;
}

Status BitConvolution::quantize(const float* pixels, std::int64_t count, Memory* memory) const {
  int finite = 0;
  if (is_affine()) {
    finite = quantize_affine_(pixels, count, reinterpret_cast<std::int8_t*>(memory->strip),
                              &memory->scale, &memory->zero);
  } else {
    finite =
        quantize_symmetric_(pixels, count, col_blocks(count), kMaxRunBlocks, layer_.activation_bits,
                            direct_ ? kActivationDigits : kActivationNumbers, memory->strip,
                            memory->strip_sums, &memory->scale);
  }
  return finite == 0 ? input_is_not_finite() : Status::ok();
}

template <class From, class To>
void BitConvolution::gather(const ImageStrip& strip, const From* pixels, To outside,
                            std::int64_t begin, std::int64_t end, To* windows) const {
  const std::int64_t channels = geometry_.channels, taps = geometry_.kernel_size();
  const std::int64_t cols = channels * taps;
  To* window = nullptr;
  windows_.visit(
      begin, end,
      [&](std::int64_t i, bool) {
        window = windows + i * cols;
        std::fill_n(window, cols, outside);
      },
      [&](std::int64_t tap, std::int64_t count, std::int64_t pixel) {
        const From* from = pixels + (pixel - strip.pixel_begin) * channels;
        for (std::int64_t t = tap; t < tap + count; ++t) {
          for (std::int64_t c = 0; c < channels; ++c) {
            const std::int64_t block = c / ConvColumnOrder::kBlock;
            const std::int64_t column = columns_ == ConvColumns::channel_blocks
                                            ? order_.column(block, t) + c % ConvColumnOrder::kBlock
                                            : c * taps + t;
            window[column] = *from++;
          }
        }
      });
}

void BitConvolution::find_outlier_columns() {
  const std::int64_t taps = order_.taps;
  std::int64_t slot = 0;
  for (const std::int32_t c : matrix_->outliers.columns()) {
    const bool blocks = columns_ == ConvColumns::channel_blocks;
    outlier_columns_.push_back(
        {blocks ? order_.tap_of(c) : c % taps, blocks ? order_.channel_of(c) : c / taps, slot++});
  }
  std::sort(outlier_columns_.begin(), outlier_columns_.end(),
            [](const OutlierColumn& a, const OutlierColumn& b) {
              return a.tap != b.tap ? a.tap < b.tap : a.slot < b.slot;
            });
  std::size_t next = 0;
  for (std::int64_t tap = 0; tap <= taps; ++tap) {
    while (next < outlier_columns_.size() && outlier_columns_[next].tap < tap) ++next;
    outliers_of_tap_.push_back(next);
  }
}

void BitConvolution::gather_outliers(const ImageStrip& strip, const float* pixels,
                                     std::int64_t begin, std::int64_t end, float* to) const {
  const std::size_t count = outlier_columns_.size();
  float* window = nullptr;
  windows_.visit(
      begin, end,
      [&](std::int64_t i, bool) {
        window = to + static_cast<std::size_t>(i) * count;
        std::fill_n(window, count, 0.0F);
      },
      [&](std::int64_t tap, std::int64_t taps, std::int64_t pixel) {
        const float* const from = pixels + (pixel - strip.pixel_begin) * geometry_.channels;
        const std::size_t last = outliers_of_tap_[static_cast<std::size_t>(tap + taps)];
        for (std::size_t i = outliers_of_tap_[static_cast<std::size_t>(tap)]; i < last; ++i) {
          const OutlierColumn& c = outlier_columns_[i];
          window[c.slot] = from[(c.tap - tap) * geometry_.channels + c.channel];
        }
      });
}

void BitConvolution::observe(InputObserver& observer, const float* pixels,
                             const ImageStrip& strip) const {
  const BitMatrix& m = *matrix_->matrix;
  std::vector<float> windows(static_cast<std::size_t>(tile_ * m.cols));
  for (std::int64_t begin = strip.window_begin; begin < strip.window_end; begin += tile_) {
    const std::int64_t end = std::min(begin + tile_, strip.window_end);
    gather(strip, pixels, 0.0F, begin, end, windows.data());
    observer.observe(m, 0, m.rows, windows.data(), end - begin, m.cols);
  }
}

void BitConvolution::gather_digits(const ImageStrip& strip, std::int64_t begin, std::int64_t end,
                                   const Memory& memory, const PackedVectors& to) const {
  const std::int64_t channels = geometry_.channels, cols = matrix_->matrix->cols;
  const std::int64_t taps = geometry_.kernel_size(), stride = to.activation_stride;
  const int bits = layer_.activation_bits, bytes = bits / 8;
  const std::int64_t blocks = col_blocks(cols), filled = cols / kBlockCols * kBlockCols * bytes;
  const int outside = is_affine() ? -memory.zero : 0;
  if (!vectors_) {
    std::uint8_t* window = nullptr;
    bool whole = false;
    const auto fill = [&](std::int64_t from, std::int64_t until, int value) {
      std::memset(window + from, value, static_cast<std::size_t>(until - from));
    };
    const auto start = [&](std::int64_t i, bool inside) {
      window = to.activations + i * stride;
      whole = inside && bytes == 1;
      if (whole) return;
      if (!inside && outside != 0) fill(0, cols, outside);
      fill(outside != 0 ? cols : inside ? filled : 0, stride, 0);
    };
    const auto copy = [&](std::int64_t first, std::int64_t column, std::int64_t count) {
      if (whole) {
        // What it copies too much is overwritten by the next part, or by zeros.
        copy_in_steps(memory.strip + first, window + column, count);
      } else {
        copy_digits(memory.strip, first, window, column, count, bytes);
      }
    };
    windows_.visit(begin, end, start,
                   [&](std::int64_t tap, std::int64_t count, std::int64_t pixel) {
                     const std::int64_t first = (pixel - strip.pixel_begin) * channels;
                     if (order_.blocks() == 1 || taps == 1) {
                       copy(first, tap * channels, count * channels);
                     } else if (whole) {
                       copy_blocks(memory.strip + first, window, order_, tap, count);
                     } else {
                       for (std::int64_t b = 0; b < order_.blocks(); ++b) {
                         for (std::int64_t t = 0; t < count; ++t) {
                           copy(first + t * channels + b * ConvColumnOrder::kBlock,
                                order_.column(b, tap + t), order_.width(b));
                         }
                       }
                     }
                     if (whole && tap + count == taps) fill(cols, stride, 0);
                   });
  }
  for (std::int64_t i = 0; i < end - begin; ++i) {
    const PackedVectors one = to.from(i);
    sum_runs_(one.activations, blocks, matrix_->run_blocks, bits, one.run_sums);
  }
}

// The slow way, for any order of columns and layout of activations.
void BitConvolution::gather_numbers(const ImageStrip& strip, std::int64_t begin, std::int64_t end,
                                    const Memory& memory, const PackedVectors& to) const {
  const std::int64_t cols = matrix_->matrix->cols, blocks = col_blocks(cols);
  const int bits = layer_.activation_bits;
  for (std::int64_t p = begin; p < end; ++p) {
    const PackedVectors one = to.from(p - begin);
    if (is_affine()) {
      gather(strip, reinterpret_cast<const std::int8_t*>(memory.strip), -memory.zero, p, p + 1,
             memory.numbers);
    } else {
      gather(strip, reinterpret_cast<const std::int32_t*>(memory.strip), 0, p, p + 1,
             memory.numbers);
    }
    std::fill(memory.numbers + cols, memory.numbers + blocks * kBlockCols, 0);
    sum_numbers(memory.numbers, blocks, matrix_->run_blocks, bits, one.run_sums);
    pack_(memory.numbers, blocks, bits, one.activations);
  }
}

}  // namespace pbatch
