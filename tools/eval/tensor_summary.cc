#include "tools/eval/tensor_summary.h"

#include "feed/convert.h"

namespace pbatch {

TensorSummary summarize(const Tensor& tensor) {
  TensorSummary s;
  double sum = 0;
  for (std::int64_t i = 0; i < tensor.size(); ++i) {
    const double v = element_as_double(tensor, i);
    s.min = i == 0 || v < s.min ? v : s.min;
    s.max = i == 0 || v > s.max ? v : s.max;
    sum += v;
  }
  if (tensor.size() > 0) s.mean = sum / static_cast<double>(tensor.size());
  return s;
}

}  // namespace pbatch
