// The weights of an ONNX RNN, LSTM or GRU, brought into the order of gate_tiles.h.
#pragma once

#include <cstdint>

#include "graph/gate_tiles.h"
#include "pbatch/status.h"
#include "pbatch/tensor.h"

namespace pbatch {

/// Inputs of an ONNX node; b and p may be null. All float32, G gates of H units, D directions.
struct OnnxRecurrentWeights {
  const Tensor* w = nullptr;  ///< [D, G H, I]
  const Tensor* r = nullptr;  ///< [D, G H, H]
  const Tensor* b = nullptr;  ///< [D, 2 G H]: of W, then of R
  const Tensor* p = nullptr;  ///< [D, 3 H]: peepholes of i, o, f
};

struct DirectionWeights {
  Tensor w;         ///< [I][rows]
  Tensor bias;      ///< [rows]: of W and of R, but for r_bias
  Tensor r;         ///< [H][rows]
  Tensor r_bias;    ///< [padded]: GRU with linear_before_reset, Rbh; else empty
  Tensor peephole;  ///< [3 padded]; empty if there is none
};

/// An error that names the input unless all shapes fit D = `directions` and `gates`.
Status check_recurrent_weights(const OnnxRecurrentWeights& weights, const GateTiles& gates,
                               int directions);

/// Those of direction `d`. Precondition: checked.
Result<DirectionWeights> tile_direction(const OnnxRecurrentWeights& weights, const GateTiles& gates,
                                        int d);

}  // namespace pbatch
