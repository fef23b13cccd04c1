// Whether a convolution is faster in float.
#pragma once

#include <cstdint>

#include "isa/isa.h"

namespace pbatch {

/// Whether a convolution of `rows` output channels and `cols` weights each, `taps` of them of one
/// input channel, takes less time in float than as a product of bit-layers. Told from the built-in
/// costs, so that it depends on nothing but its arguments: not on what was measured on this
/// machine, the image or the threads.
bool float_convolution_is_faster(std::int64_t rows, std::int64_t cols, std::int64_t taps,
                                 int weight_bits, int activation_bits, Isa isa);

}  // namespace pbatch
