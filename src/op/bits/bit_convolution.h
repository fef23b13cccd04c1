// A convolution over bit-layers: activations quantized once for a strip of the image, their digits
// gathered window by window and multiplied.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "graph/graph.h"
#include "isa/isa.h"
#include "kernel/kernel.h"
#include "layout/conv_columns.h"
#include "op/step.h"
#include "product/bit_gemm.h"
#include "product/conv_windows.h"
#include "product/image_layout.h"
#include "product/image_strips.h"
#include "product/input_observer.h"

namespace pbatch {

/// In which order a matrix of weights has its columns.
enum class ConvColumns {
  channels_first,  ///< [channel][kernel], as ONNX's weights; of files of format version 1
  channel_blocks,  ///< ConvColumnOrder
};

/// Of a BitConv.
Result<ConvColumns> conv_columns(const Node& node);

/// One convolution of one group over images of one shape, ready to run. Immutable.
/// Activations of 8 bits have affine codes, a scale and a zero for each strip; wider ones are
/// symmetric, as those of other products.
class BitConvolution {
 public:
  /// `layer` has bits, bias and activation. Precondition: the matrix has as many columns as a
  /// window has elements; there is at least one window.
  static Result<std::unique_ptr<const BitConvolution>> create(
      const ConvGeometry& geometry, Layout x_layout, Layout y_layout, ConvColumns columns,
      const BitGemmCall& layer, std::shared_ptr<const PreparedMatrix> matrix, Isa isa);

  /// Vectors of the products that the convolution is made of: what to choose a kernel for.
  static std::int64_t tile_of(const ConvGeometry& geometry);

  std::size_t scratch_bytes() const;
  /// x [batch, channels, in...] is input 0, y [batch, rows, out...] output 0, both in their layout.
  /// not_finite if x holds a NaN or an infinity on the rows of pixels of a strip.
  Status run(const StepCall& step) const;

 private:
  struct Memory;

  BitConvolution(const ConvGeometry& geometry, Layout x_layout, Layout y_layout,
                 ConvColumns columns, const BitGemmCall& layer,
                 std::shared_ptr<const PreparedMatrix> matrix, Isa isa);
  bool is_affine() const { return layer_.activation_bits == 8; }
  bool windows_are_vectors() const;
  Memory memory_at(void* scratch) const;
  Status run_strip(const StepCall& step, std::int64_t strip, void* scratch, ThreadPool* pool) const;
  const float* channels_last_pixels(const float* image, const ImageStrip& strip, float* to) const;
  void observe(InputObserver& observer, const float* pixels, const ImageStrip& strip) const;
  Status quantize(const float* pixels, std::int64_t count, Memory* memory) const;
  void gather_digits(const ImageStrip& strip, std::int64_t begin, std::int64_t end,
                     const Memory& memory, const PackedVectors& to) const;
  void gather_numbers(const ImageStrip& strip, std::int64_t begin, std::int64_t end,
                      const Memory& memory, const PackedVectors& to) const;
  void find_outlier_columns();
  /// The floats of the windows begin ... end - 1 in the columns that have outliers.
  void gather_outliers(const ImageStrip& strip, const float* pixels, std::int64_t begin,
                       std::int64_t end, float* to) const;
  template <class From, class To>
  void gather(const ImageStrip& strip, const From* pixels, To outside, std::int64_t begin,
              std::int64_t end, To* windows) const;

  ConvGeometry geometry_;
  Layout x_layout_, y_layout_;
  ConvColumns columns_;
  ConvColumnOrder order_;
  BitGemmCall layer_;
  std::shared_ptr<const PreparedMatrix> matrix_;
  AffineQuantizeFn quantize_affine_;
  QuantizeFn quantize_symmetric_;
  RunSumsFn sum_runs_;
  PackFn pack_;
  ConvWindows windows_;
  ImageStrips strips_;
  std::int64_t tile_, most_pixels_;  // of a product; of a strip
  bool direct_;                      // digits of a strip are copied to the windows as they are
  bool vectors_;                     // and are those of the windows, one behind the other
  std::int64_t pixels_ = 1;          // of an image
  struct OutlierColumn {
    std::int64_t tap, channel, slot;  // of OutlierProduct::columns()
  };
  std::vector<OutlierColumn> outlier_columns_;  // by tap
  std::vector<std::size_t> outliers_of_tap_;    // [taps + 1]: the first of each
  std::vector<float> ones_;                     // BitProduct::sum_columns(), of affine codes
};

}  // namespace pbatch
