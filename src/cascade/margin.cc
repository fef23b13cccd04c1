#include "cascade/margin.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "cascade/batch.h"
#include "feed/convert.h"

namespace pbatch {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// The values of one item, row after row.
class ItemRows {
 public:
  ItemRows(const Tensor& tensor, int axis) : tensor_(tensor), blocks_(tensor.shape(), axis) {
    const Shape& shape = tensor.shape();
    const bool last_counts = shape.empty() || static_cast<std::size_t>(axis) + 1 == shape.size();
    row_ = last_counts ? 1 : static_cast<std::size_t>(shape.back());
    values_.resize(static_cast<std::size_t>(blocks_.outer * blocks_.inner));
  }

  std::size_t row_size() const { return row_; }
  /// Valid until the next call.
  std::span<const double> item(std::int64_t index) {
    std::size_t at = 0;
    for (std::int64_t o = 0; o < blocks_.outer; ++o) {
      for (std::int64_t i = 0; i < blocks_.inner; ++i) {
        values_[at++] = element_as_double(tensor_, blocks_.at(o, index) + i);
      }
    }
    return values_;
  }

 private:
  const Tensor& tensor_;
  ItemBlocks blocks_;
  std::size_t row_ = 1;
  std::vector<double> values_;
};

double top_two_of(std::span<const double> row) {
  double first = -std::numeric_limits<double>::infinity(), second = first;
  for (const double v : row) {
    if (std::isnan(v)) return kNan;
    if (v > first) {
      second = first;
      first = v;
    } else if (v > second) {
      second = v;
    }
  }
  return first - second;
}

double band_of(std::span<const double> row, double center) {
  double least = std::numeric_limits<double>::infinity();
  for (const double v : row) {
    if (std::isnan(v)) return kNan;
    least = std::min(least, std::fabs(v - center));
  }
  return least;
}

double minus_entropy(std::span<const double> probabilities) {
  double sum = 0;
  for (const double p : probabilities) {
    if (!(p >= 0)) return kNan;
    if (p > 0) sum += p * std::log(p);
  }
  return sum;
}

// With the greatest value as zero: sum of p log p where p = e^v / z is sum of p v less log z.
double minus_entropy_of_softmax(std::span<const double> row) {
  const double most = *std::max_element(row.begin(), row.end());
  double z = 0, weighted = 0;
  for (const double v : row) {
    const double e = std::exp(v - most);
    z += e;
    if (e > 0) weighted += e * (v - most);
  }
  return weighted / z - std::log(z);
}

double margin_of_row(const Margin& margin, std::span<const double> row) {
  switch (margin.kind) {
    case MarginKind::top_two:
      return top_two_of(row);
    case MarginKind::band:
      return band_of(row, margin.center);
    case MarginKind::entropy:
      return minus_entropy_of_softmax(row);
    case MarginKind::entropy_of_probabilities:
      break;
  }
  return minus_entropy(row);
}

double least_margin(const Margin& margin, std::span<const double> values, std::size_t row_size) {
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t at = 0; at < values.size(); at += row_size) {
    const double own = margin_of_row(margin, values.subspan(at, row_size));
    if (std::isnan(own)) return kNan;
    least = std::min(least, own);
  }
  return least;
}

bool same_answer(const Margin& margin, std::span<const double> a, std::span<const double> b,
                 std::size_t row_size) {
  for (std::size_t at = 0; at < a.size(); at += row_size) {
    const auto x = a.subspan(at, row_size), y = b.subspan(at, row_size);
    if (margin.kind == MarginKind::band) {
      const auto is_above = [&](double v) { return v > margin.center; };
      if (!std::equal(x.begin(), x.end(), y.begin(),
                      [&](double v, double w) { return is_above(v) == is_above(w); })) {
        return false;
      }
    } else if (std::max_element(x.begin(), x.end()) - x.begin() !=
               std::max_element(y.begin(), y.end()) - y.begin()) {
      return false;
    }
  }
  return true;
}

}  // namespace

Result<std::vector<double>> margins_of(const Margin& margin, const MarginPlace& place,
                                       std::span<const Tensor> outputs, std::int64_t items) {
  if (margin.function) {
    PBATCH_ASSIGN_OR_RETURN(std::vector<double> margins, margin.function(outputs, items));
    if (margins.size() == static_cast<std::size_t>(items)) return margins;
    return Status(ErrorCode::invalid_argument,
                  "the margin's function returns " + std::to_string(margins.size()) +
                      " margins for " + std::to_string(items) + " items",
                  "let it return one for each item");
  }
  ItemRows rows(outputs[place.output], place.axis);
  if (margin.kind == MarginKind::top_two && rows.row_size() < 2) {
    return Status(ErrorCode::invalid_argument,
                  "the output has one value in a row, and no second to compare it with",
                  "use the margin of a band, with the value that decides as its center");
  }
  std::vector<double> margins;
  for (std::int64_t i = 0; i < items; ++i) {
    margins.push_back(least_margin(margin, rows.item(i), rows.row_size()));
  }
  return margins;
}

std::vector<bool> same_answers(const Margin& margin, const MarginPlace& place, const Tensor& a,
                               const Tensor& b, std::int64_t items) {
  ItemRows rows_a(a, place.axis), rows_b(b, place.axis);
  std::vector<bool> same;
  for (std::int64_t i = 0; i < items; ++i) {
    same.push_back(same_answer(margin, rows_a.item(i), rows_b.item(i), rows_a.row_size()));
  }
  return same;
}

}  // namespace pbatch
