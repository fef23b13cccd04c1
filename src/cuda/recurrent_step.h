// A step of a recurrent layer as the kernel takes it: the device's part, then what the next product
// multiplies is quantized for it. One block of threads has a whole vector, so that nobody waits for
// other blocks between the two.
#pragma once

#include "accelerator/recurrent_step.h"
#include "cuda/product_plan.h"
#include "cuda/quantize_vector.h"

namespace pbatch::cuda {

struct StepArgs : RecurrentStepArgs {
  bool quantizes;         ///< whether `quantize` says where to; its x is h or reset_h
  QuantizeArgs quantize;  ///< batch vectors
  Method method;          ///< of the product that is quantized for
};

}  // namespace pbatch::cuda
