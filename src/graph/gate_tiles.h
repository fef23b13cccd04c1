// The order of the rows of recurrent matrices: gates of 16 units side by side (kernel/cells.h).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernel/cells.h"
#include "pbatch/status.h"
#include "pbatch/tensor.h"

namespace pbatch {

enum class CellType { rnn, lstm, gru };

struct GateTiles {
  CellType cell = CellType::rnn;
  std::int64_t hidden = 0;  ///< H
  bool linear_before_reset = false;

  int gates() const { return cell == CellType::lstm ? 4 : cell == CellType::gru ? 3 : 1; }
  std::int64_t tiles() const { return (hidden + kTileUnits - 1) / kTileUnits; }
  std::int64_t padded() const { return tiles() * kTileUnits; }
  std::int64_t rows() const { return gates() * padded(); }
  /// GRU without linear_before_reset: the rows of z and r come first, those of h after them.
  bool two_parts() const { return cell == CellType::gru && !linear_before_reset; }
  /// Row blocks of the first part: all but for two_parts().
  std::int64_t first_part_blocks() const { return (two_parts() ? 2 : gates()) * tiles(); }

  /// The row of gate g (ONNX's order) of a unit.
  std::int64_t row(int gate, std::int64_t unit) const;
};

/// ONNX's W or R of one direction, [gates * hidden][cols] -> [cols][rows()], rows that are no
/// unit's 0.
Result<Tensor> tile_weights(const GateTiles& gates, const float* weights, std::int64_t cols);

/// One value for each row -> [rows()].
Result<Tensor> tile_rows(const GateTiles& gates, const float* values);
/// `parts` vectors of one value for each unit -> [parts * padded()].
Result<Tensor> pad_units(const GateTiles& gates, const float* values, int parts);

/// "RNN", "LSTM" or "GRU", in any case.
Result<CellType> cell_type_of(const std::string& name);

}  // namespace pbatch
