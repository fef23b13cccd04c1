// How good an answer is.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "pbatch/status.h"
#include "pbatch/tensor.h"

namespace pbatch {

/// One output y against the reference f, over all its elements.
struct OutputError {
  double rel_error = 0;  ///< ||y - f|| / ||f||; 0 if both are 0; if exact, the share that differs
  double cosine = 1;     ///< <y, f> / (||y|| ||f||); 1 if both are 0
  double max_abs_error = 0, mean_abs_error = 0;
  bool exact = false;          ///< integers or bools: right or wrong
  std::int64_t differing = 0;  ///< elements of those that are wrong
  std::int64_t elements = 0;
};

/// Of one output that comes in several pieces. shape_mismatch if shapes or types differ;
/// not_finite if the reference holds a NaN or an infinity. A NaN in y makes every figure NaN.
Result<OutputError> output_error(std::span<const Tensor> y, std::span<const Tensor> reference);
/// Of each of several outputs, on its own: a good one hides no bad one.
Result<std::vector<OutputError>> output_errors(std::span<const Tensor> y,
                                               std::span<const Tensor> reference);
/// The first of the greatest rel_error, NaN above all. Precondition: there are some.
std::size_t worst_of(std::span<const OutputError> errors);

/// What eval measures, chosen from what labels and output look like.
enum class Metric {
  accuracy,  ///< share of labels equal to the argmax of the output's last dimension
  mse,       ///< mean squared difference of float labels and output
};
const char* metric_name(Metric metric);
/// Whether a greater value is better.
bool higher_is_better(Metric metric);

/// Gathers a metric over batches.
class Score {
 public:
  /// `labels` as read: its first dimension is the item. Fails when
  /// they fit neither metric for outputs of `output_per_item` elements
  /// whose last dimension is `classes`, or a label is no class.
  static Result<Score> create(const Tensor& labels, DType output_type, std::int64_t output_per_item,
                              std::int64_t classes);

  Metric metric() const { return metric_; }
  /// Adds the outputs of `count` items from item `first` on; `output` may hold more items.
  Status add(const Tensor& output, std::int64_t first, std::int64_t count);
  double value() const { return counted_ == 0 ? 0 : sum_ / static_cast<double>(counted_); }

 private:
  Metric metric_ = Metric::accuracy;
  bool output_is_class_ = false;  ///< the network ends in an ArgMax of its own
  Tensor labels_;                 ///< i64 for accuracy, f32 for mse
  std::int64_t labels_per_item_ = 1, classes_ = 1;
  double sum_ = 0;
  std::int64_t counted_ = 0;
};

}  // namespace pbatch
