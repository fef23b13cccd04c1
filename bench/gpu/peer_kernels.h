// What stands between cuBLAS's products in the baselines' networks.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "bench/gpu/peer_type.h"

namespace pbatch::bench {

/// Sums [batch][rows] of a product of `type` to results: times x_scale[vector] * w_scale for int8,
/// plus bias[row], Relu if asked for, as float32 or, if `halves`, float16.
struct FinishArgs {
  const void* sums;
  PeerType type;
  const float* x_scale;  ///< [batch]; int8 only
  float w_scale;         ///< int8 only
  const float* bias;
  void* y;
  bool halves, relu;
  int rows, batch;
};
cudaError_t launch_finish(const FinishArgs& args, cudaStream_t stream);

/// x [batch][cols] float32 to q int8 with a scale for each vector.
cudaError_t launch_quantize_int8(const float* x, signed char* q, float* x_scale, int cols,
                                 int batch, cudaStream_t stream);

/// LSTM cells: gates i, o, f, c, each [units], of the input part (finished) and of the state's sums
/// (as FinishArgs has them, [batch][4 * units]); h is written as float32 and, if not null, float16.
struct LstmArgs {
  const float* input;  ///< [batch][4 * units]
  const void* sums;
  PeerType type;
  const float* x_scale;
  float w_scale;
  float *h, *c;  ///< [batch][units]
  void* half_h;
  int units, batch;
};
cudaError_t launch_lstm_cells(const LstmArgs& args, cudaStream_t stream);

}  // namespace pbatch::bench
