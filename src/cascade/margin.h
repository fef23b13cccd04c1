// How sure the answers of a run are, and whether two answers are the same.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "pbatch/cascade.h"

namespace pbatch {

/// What the margin looks at: an output of the network and the dimension of it that counts items.
struct MarginPlace {
  std::size_t output = 0;
  int axis = 0;
};

/// The margin of each of the first `items` items of a run; greater is surer. A NaN in an output
/// gives NaN. invalid_argument where rows of one value have no second, or a function returns
/// another number of margins.
Result<std::vector<double>> margins_of(const Margin& margin, const MarginPlace& place,
                                       std::span<const Tensor> outputs, std::int64_t items);

/// Whether each of the first `items` items has the same answer in both runs: the greatest of every
/// row in the same place, the first of several; for a band every value on the same side of its
/// center. Precondition: the outputs have the same shape.
std::vector<bool> same_answers(const Margin& margin, const MarginPlace& place, const Tensor& a,
                               const Tensor& b, std::int64_t items);

}  // namespace pbatch
