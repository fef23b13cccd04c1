#include "tools/eval/metrics.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "feed/convert.h"

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

namespace {

// Gathers one output's error, piece by piece.
class ErrorSums {
 public:
  Status add(const Tensor& y, const Tensor& reference) {
    if (y.shape() != reference.shape() || y.dtype() != reference.dtype()) {
      return {ErrorCode::shape_mismatch,
              std::string("it is ") + dtype_name(y.dtype()) + shape_to_string(y.shape()) +
                  " but the float network gives " + dtype_name(reference.dtype()) +
                  shape_to_string(reference.shape()),
              "compare a network with the float network that it was made from"};
    }
    error_.exact = !is_float(reference.dtype());
    const std::size_t size = dtype_size(y.dtype());
    for (std::int64_t i = 0; i < y.size(); ++i) {
      const double a = element_as_double(y, i), f = element_as_double(reference, i);
      if (!std::isfinite(f)) {
        return {ErrorCode::not_finite, "the float network's output is not finite",
                "give another input"};
      }
      const double difference = std::fabs(a - f);
      diff2_ += difference * difference;
      y2_ += a * a;
      f2_ += f * f;
      dot_ += a * f;
      sum_abs_ += difference;
      if (!(difference <= error_.max_abs_error)) error_.max_abs_error = difference;
      const auto at = static_cast<std::size_t>(i) * size;
      if (error_.exact && std::memcmp(static_cast<const char*>(y.raw()) + at,
                                      static_cast<const char*>(reference.raw()) + at, size) != 0) {
        ++error_.differing;
      }
    }
    count_ += y.size();
    return Status::ok();
  }

  OutputError error() const {
    OutputError error = error_;
    const auto count = static_cast<double>(std::max<std::int64_t>(count_, 1));
    error.elements = count_;
    error.rel_error = diff2_ == 0 ? 0 : std::sqrt(diff2_ / f2_);
    if (error.exact) error.rel_error = static_cast<double>(error.differing) / count;
    error.cosine = y2_ == 0 && f2_ == 0 ? 1 : dot_ / std::sqrt(y2_ * f2_);
    if (std::isnan(diff2_)) error.max_abs_error = diff2_;
    error.mean_abs_error = sum_abs_ / count;
    return error;
  }

 private:
  OutputError error_;
  double diff2_ = 0, y2_ = 0, f2_ = 0, dot_ = 0, sum_abs_ = 0;
  std::int64_t count_ = 0;
};

Status check_counts(std::size_t y, std::size_t reference) {
  if (y == reference) return Status::ok();
  return {ErrorCode::shape_mismatch, "the networks have different numbers of outputs",
          "compare a network with the float network that it was made from"};
}

}  // namespace

Result<OutputError> output_error(std::span<const Tensor> y, std::span<const Tensor> reference) {
  PBATCH_RETURN_IF_ERROR(check_counts(y.size(), reference.size()));
  ErrorSums sums;
  for (std::size_t i = 0; i < y.size(); ++i) {
    PBATCH_RETURN_IF_ERROR(sums.add(y[i], reference[i]));
  }
  return sums.error();
}

Result<std::vector<OutputError>> output_errors(std::span<const Tensor> y,
                                               std::span<const Tensor> reference) {
  PBATCH_RETURN_IF_ERROR(check_counts(y.size(), reference.size()));
  std::vector<OutputError> errors;
  for (std::size_t o = 0; o < y.size(); ++o) {
    ErrorSums sums;
    if (Status s = sums.add(y[o], reference[o]); !s) {
      return Status(s.code(), "output " + std::to_string(o) + ": " + s.message(), s.remedy());
    }
    errors.push_back(sums.error());
  }
  return errors;
}

std::size_t worst_of(std::span<const OutputError> errors) {
  std::size_t worst = 0;
  for (std::size_t i = 1; i < errors.size(); ++i) {
    const double most = errors[worst].rel_error, here = errors[i].rel_error;
    if (std::isnan(most)) break;
    if (std::isnan(here) || here > most) worst = i;
  }
  return worst;
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
