// What a network takes, so far as its graph tells.
#pragma once

#include <algorithm>
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
  /// Of each input: integers that may tell branches apart, since its elements are compared with
  /// them; below, at and above where the order counts. Rising.
  std::vector<std::vector<std::int64_t>> compared;
  /// Of each input: a one-dimensional convolution of one channel reads it, as of sound.
  std::vector<bool> is_waveform;
  bool takes_waveform() const {
    return std::find(is_waveform.begin(), is_waveform.end(), true) != is_waveform.end();
  }
  bool recurrent = false;  ///< has an RNN, LSTM, GRU, Loop or Scan
  bool convolutional = false;
};

/// Of a network of bit-layers.
NetworkKind kind_of(const Graph& graph, const std::vector<PortInfo>& inputs);

}  // namespace pbatch
