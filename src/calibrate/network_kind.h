// What a network takes, so far as its graph tells.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/graph.h"
#include "pbatch/network.h"

namespace pbatch {

struct NetworkKind {
  /// Of each input (as NetworkRunner lists them): rows of the constant table that it looks up; 0:
  /// none.
  std::vector<std::int64_t> table_rows;
  std::vector<bool> is_length;  ///< of each input: how many steps of each sequence count
  bool recurrent = false;       ///< has an RNN, LSTM, GRU, Loop or Scan
  bool convolutional = false;
};

/// Of a network of bit-layers.
NetworkKind kind_of(const Graph& graph, const std::vector<PortInfo>& inputs);

}  // namespace pbatch
