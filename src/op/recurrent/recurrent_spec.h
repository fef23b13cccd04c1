// What an ONNX RNN, LSTM or GRU computes in one direction: its attributes, read and checked.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <string>

#include "graph/gate_tiles.h"
#include "graph/graph.h"
#include "kernel/cells.h"
#include "pbatch/status.h"

namespace pbatch {

enum class CellFunction {
  sigmoid,
  tanh,
  relu,
  affine,
  leaky_relu,
  thresholded_relu,
  scaled_tanh,
  hard_sigmoid,
  elu,
  softsign,
  softplus
};

/// A function of a gate or a state, by ONNX's formulas.
struct CellActivation {
  CellFunction function = CellFunction::sigmoid;
  float alpha = 0, beta = 0;
};

struct RecurrentSpec {
  GateTiles gates;       ///< cell and hidden size: the order of rows
  bool reverse = false;  ///< from the last step to the first
  bool couple_forget = false;
  float clip = INFINITY;
  /// RNN: f; GRU: f, g; LSTM: f, g, h.
  std::array<CellActivation, 3> activations{};

  /// Whether the kernels' cells compute it, which have sigmoid and tanh where ONNX has them.
  bool default_activations() const;
};

/// Of the direction `index` (0, or 1 for the second of a bidirectional node) of an ONNX node, or of
/// a pbatch.Recurrent that was made of one.
Result<RecurrentSpec> read_recurrent_spec(const Node& node, const std::string& cell, int index);

}  // namespace pbatch
