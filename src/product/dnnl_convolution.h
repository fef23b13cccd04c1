// Convolution on oneDNN.
#pragma once

#include <cstdint>
#include <memory>

#include "base/buffer_pool.h"
#include "pbatch/status.h"
#include "product/conv_geometry.h"
#include "product/image_layout.h"

namespace pbatch {

struct ConvolutionShape {
  ConvGeometry geometry;
  std::int64_t outputs = 0;  ///< output channels, a multiple of groups
  std::int64_t groups = 1;   ///< divides the input channels
  Layout x_layout = Layout::plain, y_layout = Layout::plain;
  friend bool operator==(const ConvolutionShape&, const ConvolutionShape&) = default;
};

struct ConvolutionCall {
  const float* x = nullptr;     ///< [batch][channels][in...], in x_layout
  const float* w = nullptr;     ///< [outputs][channels / groups][kernel...]
  const float* bias = nullptr;  ///< [outputs] or null
  float* y = nullptr;           ///< [batch][outputs][out...], in y_layout
};

/// The primitives of one node, one for each input shape met lately. Thread-safe.
class DnnlConvolutions {
 public:
  /// `constant_weights`: every call brings the same w; then its weights are put
  /// into oneDNN's format once.
  explicit DnnlConvolutions(bool constant_weights);
  ~DnnlConvolutions();

  /// Precondition: nothing in the shape is 0.
  Status run(const ConvolutionShape& shape, const ConvolutionCall& call, int threads,
             BufferPool& buffers);

 private:
  struct Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace pbatch
