// What the products of a network read, summed up: the statistics of compensated codes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pbatch/status.h"

namespace pbatch {

/// The second moments of the vectors that some rows of a matrix are multiplied with. All rows of
/// most matrices see the same vectors; a GRU whose reset gate comes before its product has two
/// parts.
struct InputMoments {
  std::int64_t row_begin = 0, row_end = 0;
  std::int64_t cols = 0;
  std::int64_t count = 0;       ///< vectors seen
  std::vector<double> moments;  ///< [cols][cols]: the mean of x x', not centred
};

/// Moments of one matrix from two independent draws of inputs: codes are fitted to one and judged
/// by the other. Parts are ordered by rows and cover them all; both have the same parts.
struct MatrixMoments {
  std::vector<InputMoments> fit, check;
  /// How often codes of a matrix that is not large are made until the widest width gains enough.
  int attempts = 3;
};

/// Gives the moments of a network's layers one after the other, so that not all need be in memory.
class MomentSource {
 public:
  virtual ~MomentSource() = default;
  /// Of the matrix of this layer (a node's name) on all inputs of all layers that share it, valid
  /// until the next call. Null if nothing is known of it: no vectors were seen.
  virtual Result<const MatrixMoments*> moments_of(const std::string& layer) = 0;
};

}  // namespace pbatch
