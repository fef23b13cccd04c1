// Pooling on oneDNN.
#pragma once

#include <cstdint>
#include <memory>

#include "base/buffer_pool.h"
#include "execute/conv_geometry.h"
#include "pbatch/status.h"
#include "pbatch/tensor.h"

namespace pbatch {

enum class Pooling {
  max,
  average,               ///< of the elements that fall on the input
  average_with_padding,  ///< padding counts as zeros
};

/// The primitives of one node, one for each input shape met lately. Thread-safe.
class DnnlPoolings {
 public:
  explicit DnnlPoolings(Pooling pooling);
  ~DnnlPoolings();

  /// x [batch][channels][in...] -> y [batch][channels][out...], both of `type`:
  /// f32, or for max also i8 and u8. unsupported if a window sees nothing of the
  /// input. Precondition: nothing in the geometry is 0.
  Status run(const ConvGeometry& geometry, DType type, const void* x, void* y, int threads,
             BufferPool& buffers);

 private:
  struct Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace pbatch
