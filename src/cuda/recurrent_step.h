// A step of a recurrent layer between its products, on the device: gates to states, for all vectors
// of a batch; then what the next product multiplies is quantized for it. One block of threads has a
// whole vector, so that nobody waits for other blocks between the two.
#pragma once

#include <stdint.h>

#include "cuda/product_plan.h"
#include "cuda/quantize_vector.h"
#include "kernel/cells.h"

namespace pbatch::cuda {

/// Besides a CellKind: sets the states to what they begin with.
inline constexpr int kStepStart = kCellKinds;

/// Arrays of units are [batch][padded], padded = 16 * tiles; strides count floats. All pointers are
/// of device memory.
struct RecurrentStepArgs {
  int kind;  ///< a CellKind or kStepStart
  int64_t hidden, padded;
  int batch;
  int64_t steps, step;
  bool reverse;            ///< from a vector's last step to its first
  const int32_t* lengths;  ///< [batch]; null: all take all steps
  uint32_t* flag;          ///< gets kFlagBadLength for a length that is not within 0 .. steps

  const float* x;  ///< rows of the part, in a step and vector: what the input gives, biases added
  int64_t x_step, x_vector;
  const float* r;  ///< rows of the part, in a vector: what the state gives
  int64_t r_vector;
  const float* r_bias;    ///< CellArgs::r_bias
  const float* peephole;  ///< CellArgs::peephole, padded apart
  float clip;
  int couple_forget;
  float *h, *c, *update, *reset_h;

  const float *initial_h, *initial_c;  ///< hidden of a vector; null: zeros
  int64_t initial_vector;
  float* y;  ///< hidden of a step and vector, 0 beyond lengths; null: not wanted
  int64_t y_step, y_vector;
  float *last_h, *last_c;  ///< hidden of a vector: the states after this step; null: not wanted
  int64_t last_vector;

  bool quantizes;         ///< whether `quantize` says where to; its x is h or reset_h
  QuantizeArgs quantize;  ///< batch vectors
  Method method;          ///< of the product that is quantized for
};

}  // namespace pbatch::cuda
