// What the numbers of a tensor are like.
#pragma once

#include <cmath>

#include "pbatch/tensor.h"

namespace pbatch {

struct TensorSummary {
  double min = NAN, max = NAN, mean = NAN;  ///< NAN where there are no elements
};

TensorSummary summarize(const Tensor& tensor);

}  // namespace pbatch
