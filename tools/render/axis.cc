#include "tools/render/axis.h"

#include <algorithm>
#include <cmath>

namespace pbatch {
namespace {

constexpr double kMargin = 0.08;         // of the range, on both sides
constexpr int kTickLevels = 12;          // from coarse to fine
constexpr std::size_t kEnoughTicks = 4;  // no finer level than gives this many
constexpr std::size_t kMaxCandidates = 400;

}  // namespace

Axis::Axis(Scale scale, const std::vector<double>& values, double from, double to)
    : scale_(scale), from_(from), to_(to) {
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  top_ = *most;
  bend_ = std::max((*most - *least) / 10, 1e-9);
  low_ = transform(*least);
  high_ = transform(*most);
  double range = high_ - low_;
  if (range < 1e-12) range = std::max(std::fabs(high_) * 0.2, 0.1);
  low_ -= kMargin * range;
  high_ += kMargin * range;
}

double Axis::transform(double value) const {
  switch (scale_) {
    case Scale::linear:
      return value;
    case Scale::log:
      return std::log10(std::max(value, 1e-300));
    case Scale::near_top:
      return -std::log1p((top_ - std::min(value, top_)) / bend_) +
             std::max(value - top_, 0.0) / bend_;
  }
  return value;
}

double Axis::inverse(double position) const {
  switch (scale_) {
    case Scale::linear:
      return position;
    case Scale::log:
      return std::pow(10.0, position);
    case Scale::near_top:
      return position < 0 ? top_ - std::expm1(-position) * bend_ : top_ + position * bend_;
  }
  return position;
}

double Axis::pixel(double value) const {
  return from_ + (transform(value) - low_) / (high_ - low_) * (to_ - from_);
}

// Level 0 has the roundest numbers, each further level finer ones.
std::vector<double> Axis::candidates(int level) const {
  const double first = inverse(low_), last = inverse(high_);
  std::vector<double> list;
  if (scale_ == Scale::log) {
    static constexpr std::initializer_list<double> kDigits[] = {
        {1}, {2, 5}, {3, 7}, {1.5, 4, 6, 8}, {1.2, 1.7, 2.5, 3.5, 4.5, 5.5, 9}};
    if (level >= static_cast<int>(std::size(kDigits))) return list;
    for (double decade = std::floor(low_); decade <= high_; ++decade) {
      for (const double digit : kDigits[level]) list.push_back(digit * std::pow(10.0, decade));
    }
  } else {
    const double top = std::ceil(std::log10(std::max(last - first, 1e-12)));
    static constexpr double kSteps[] = {1, 0.5, 0.2};
    const double step = kSteps[level % 3] * std::pow(10.0, top - level / 3);
    const double begin = std::ceil(first / step), end = std::floor(last / step);
    if (end - begin > static_cast<double>(kMaxCandidates)) return list;
    for (double i = begin; i <= end; ++i) list.push_back(i * step);
  }
  std::erase_if(list, [&](double v) { return v < first || v > last; });
  return list;
}

std::vector<double> Axis::ticks(double apart) const {
  std::vector<double> chosen;
  for (int level = 0; level < kTickLevels && chosen.size() < kEnoughTicks; ++level) {
    for (const double v : candidates(level)) {
      const bool clear = std::all_of(chosen.begin(), chosen.end(), [&](double other) {
        return std::fabs(pixel(v) - pixel(other)) >= apart;
      });
      if (clear) chosen.push_back(v);
    }
  }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

}  // namespace pbatch
