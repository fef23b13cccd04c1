// Channels between two layers, scaled so that the second layer quantizes well.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "graph/graph.h"
#include "pbatch/status.h"
#include "quantize/same_matrix.h"

namespace pbatch {

struct BalanceOptions {
  int group = 0;                         ///< as of QuantizeOptions
  std::int64_t min_elements = 0;         ///< layers of fewer weights stay as they are
  std::vector<std::string> exclude;      ///< so do those whose name matches one of these patterns
  const MatrixCensus* census = nullptr;  ///< and matrices that it knows as shared: one stays one
};

/// Where a layer's output reaches only one other layer, and only through operators for which
/// f(s x) = s f(x), s > 0 (Relu, pooling), the first layer's rows are multiplied by a scale for
/// each channel and the second one's columns divided by it: cross-layer equalization, as in Nagel
/// et al., Data-Free Quantization (2019), section 4.1. A group has one step for all its columns, so
/// the noise of a matrix is least where columns are alike; rows have scales of their own and lose
/// nothing. Scales are powers of two: the network computes the same floats as before, short of
/// denormals. Changed are pairs of Linear, and of Conv, whose second layer gains half a decibel or
/// more. Subgraphs are left to the caller. The result does not
/// depend on the number of threads; `pool` may be null.
Status balance_channels(Graph& graph, const BalanceOptions& options, ThreadPool* pool);

}  // namespace pbatch
