// Whether a convolution is faster in float.
#pragma once

#include <cstdint>

#include "isa/isa.h"

namespace pbatch {

/// A convolution of one group as the time of one of its windows depends on it.
struct ConvolutionSize {
  std::int64_t rows = 0;         ///< output channels
  std::int64_t channels = 0;     ///< of the image
  std::int64_t taps = 1;         ///< elements of the kernel
  std::int64_t kernel_rows = 1;  ///< rows of the kernel, each of neighbouring elements
  int run_blocks = 1;            ///< BitKernelArgs::run_blocks

  std::int64_t cols() const { return channels * taps; }
};

/// Whether the convolution takes less time in float than as a product of bit-layers. Told from the
/// built-in costs, so that it depends on nothing but its arguments: not on what was measured on
/// this machine, the image or the threads.
bool float_convolution_is_faster(const ConvolutionSize& shape, int weight_bits, int activation_bits,
                                 Isa isa);

}  // namespace pbatch
