// A step of a recurrent layer between its products, on a device: gates to states, for all vectors
// of a batch.
#pragma once

#include <stdint.h>

#include "kernel/cells.h"

namespace pbatch {

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
};

}  // namespace pbatch
