#include "report/metrics.h"

#include <algorithm>
#include <cmath>

#include "report/convert.h"

namespace pbatch {
namespace {

bool is_float(DType type) {
  return type == DType::f32 || type == DType::f64 || type == DType::f16 || type == DType::bf16;
}

// Class numbers kept as floats: every value is an integer.
bool all_whole(const Tensor& t) {
  for (std::int64_t i = 0; i < t.size(); ++i) {
    const double v = element_as_double(t, i);
    if (std::trunc(v) != v || std::fabs(v) > 1e9) return false;
  }
  return true;
}

Result<Tensor> as_classes(const Tensor& labels) {
  if (!is_float(labels.dtype())) return convert_tensor(labels, DType::i64);
  PBATCH_ASSIGN_OR_RETURN(Tensor out, Tensor::create(DType::i64, labels.shape()));
  for (std::int64_t i = 0; i < labels.size(); ++i) {
    out.mutable_data<std::int64_t>()[i] = static_cast<std::int64_t>(element_as_double(labels, i));
  }
  return out;
}

Status check_classes(const Tensor& labels, std::int64_t classes) {
  for (std::int64_t i = 0; i < labels.size(); ++i) {
    const std::int64_t label = labels.data<std::int64_t>()[i];
    if (label < 0 || label >= classes) {
      return {ErrorCode::invalid_argument,
              "label " + std::to_string(label) + " of item " +
                  std::to_string(i / std::max<std::int64_t>(labels.size() / labels.dim(0), 1)) +
                  " is not one of the network's " + std::to_string(classes) + " classes",
              "give the labels that belong to this network, counted from 0"};
    }
  }
  return Status::ok();
}

}  // namespace

Result<OutputError> output_error(std::span<const Tensor> y, std::span<const Tensor> reference) {
  if (y.size() != reference.size()) {
    return Status(ErrorCode::shape_mismatch, "the networks have different numbers of outputs",
                  "compare a network with the float network that it was made from");
  }
  double diff2 = 0, y2 = 0, f2 = 0, dot = 0, max_abs = 0, sum_abs = 0;
  std::int64_t count = 0;
  for (std::size_t o = 0; o < y.size(); ++o) {
    if (y[o].shape() != reference[o].shape()) {
      return Status(ErrorCode::shape_mismatch,
                    "output " + std::to_string(o) + " has shape " + shape_to_string(y[o].shape()) +
                        " but the float network gives " + shape_to_string(reference[o].shape()),
                    "compare a network with the float network that it was made from");
    }
    for (std::int64_t i = 0; i < y[o].size(); ++i) {
      const double a = element_as_double(y[o], i);
      const double f = element_as_double(reference[o], i);
      if (!std::isfinite(f)) {
        return Status(ErrorCode::not_finite, "the float network's output is not finite",
                      "give another input");
      }
      diff2 += (a - f) * (a - f);
      y2 += a * a;
      f2 += f * f;
      dot += a * f;
      sum_abs += std::fabs(a - f);
      ++count;
      if (!(std::fabs(a - f) <= max_abs)) max_abs = std::fabs(a - f);
    }
  }
  OutputError error;
  error.rel_error = diff2 == 0 ? 0 : std::sqrt(diff2 / f2);
  error.cosine = y2 == 0 && f2 == 0 ? 1 : dot / std::sqrt(y2 * f2);
  error.max_abs_error = std::isnan(diff2) ? diff2 : max_abs;
  error.mean_abs_error = count == 0 ? 0 : sum_abs / static_cast<double>(count);
  return error;
}

const char* metric_name(Metric metric) { return metric == Metric::mse ? "mse" : "accuracy"; }
bool higher_is_better(Metric metric) { return metric == Metric::accuracy; }

Result<Score> Score::create(const Tensor& labels, DType output_type, std::int64_t output_per_item,
                            std::int64_t classes) {
  if (labels.rank() == 0 || labels.size() == 0) {
    return Status(ErrorCode::invalid_argument, "there are no labels",
                  "give an array whose first dimension is the item");
  }
  Score score;
  score.labels_per_item_ = labels.size() / labels.dim(0);
  score.classes_ = classes;
  const bool float_labels = is_float(labels.dtype());
  const bool float_output = is_float(output_type);
  const bool same_size = score.labels_per_item_ == output_per_item;
  if (!float_output && same_size) {
    score.output_is_class_ = true;
    PBATCH_ASSIGN_OR_RETURN(score.labels_, as_classes(labels));
    return score;
  }
  if (float_output && classes > 1 && score.labels_per_item_ == output_per_item / classes &&
      (!float_labels || all_whole(labels))) {
    PBATCH_ASSIGN_OR_RETURN(score.labels_, as_classes(labels));
    PBATCH_RETURN_IF_ERROR(check_classes(score.labels_, classes));
    return score;
  }
  if (float_output && float_labels && same_size) {
    score.metric_ = Metric::mse;
    PBATCH_ASSIGN_OR_RETURN(score.labels_, convert_tensor(labels, DType::f32));
    return score;
  }
  return Status(ErrorCode::shape_mismatch,
                "labels of " + std::to_string(score.labels_per_item_) + " " +
                    dtype_name(labels.dtype()) + " an item do not fit an output of " +
                    std::to_string(output_per_item) + " " + dtype_name(output_type) + " an item",
                "give one class number per argmax of the output's last dimension, or float targets "
                "of the output's shape");
}

Status Score::add(const Tensor& output, std::int64_t first, std::int64_t count) {
  const std::int64_t begin = first * labels_per_item_;
  const std::int64_t end = begin + count * labels_per_item_;
  const std::int64_t per_label = metric_ == Metric::accuracy && !output_is_class_ ? classes_ : 1;
  if (end > labels_.size() || (end - begin) * per_label > output.size()) {
    return {ErrorCode::shape_mismatch, "the output holds fewer items than the batch",
            "use --batch 1"};
  }
  for (std::int64_t i = begin; i < end; ++i) {
    const std::int64_t at = (i - begin) * per_label;
    if (metric_ == Metric::mse) {
      const double d = element_as_double(output, at) - labels_.data<float>()[i];
      sum_ += d * d;
    } else if (output_is_class_) {
      sum_ += element_as_double(output, at) == static_cast<double>(labels_.data<std::int64_t>()[i]);
    } else {
      std::int64_t best = 0;
      double best_value = element_as_double(output, at);
      for (std::int64_t c = 1; c < classes_; ++c) {
        const double v = element_as_double(output, at + c);
        if (v > best_value || (std::isnan(best_value) && !std::isnan(v))) {
          best = c;
          best_value = v;
        }
      }
      sum_ += !std::isnan(best_value) && best == labels_.data<std::int64_t>()[i];
    }
    ++counted_;
  }
  return Status::ok();
}

}  // namespace pbatch
