#include "cascade/clopper_pearson.h"

#include <cmath>
#include <limits>

namespace pbatch {
namespace {

// Of I_x(a, b), for x below the mean, by the modified Lentz method.
double beta_fraction(double a, double b, double x) {
  constexpr int kMostTerms = 100000;
  constexpr double kTiny = 1e-300;
  constexpr double kEnough = 1e-15;
  const auto away_from_zero = [](double v) { return std::fabs(v) < kTiny ? kTiny : v; };
  double c = 1, d = 1 / away_from_zero(1 - (a + b) * x / (a + 1));
  double value = d;
  for (int i = 1; i <= kMostTerms; ++i) {
    const double m = i;
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / away_from_zero(1 + even * d);
    c = away_from_zero(1 + even / c);
    value *= d * c;
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / away_from_zero(1 + odd * d);
    c = away_from_zero(1 + odd / c);
    value *= d * c;
    if (std::fabs(d * c - 1) < kEnough) break;
  }
  return value;
}

}  // namespace

double incomplete_beta(double a, double b, double x) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const double log_front =
      std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) + b * std::log1p(-x);
  if (x < (a + 1) / (a + b + 2)) return std::exp(log_front) * beta_fraction(a, b, x) / a;
  return 1 - std::exp(log_front) * beta_fraction(b, a, 1 - x) / b;
}

double clopper_pearson_upper(std::int64_t hits, std::int64_t items, double confidence) {
  if (hits >= items) return 1;
  const double n = static_cast<double>(items);
  if (hits == 0) return -std::expm1(std::log1p(-confidence) / n);
  const double a = static_cast<double>(hits) + 1, b = static_cast<double>(items - hits);
  double low = static_cast<double>(hits) / n, high = 1;
  while (high - low > 4 * std::numeric_limits<double>::epsilon() * high) {
    const double middle = low + (high - low) / 2;
    if (middle <= low || middle >= high) break;
    (incomplete_beta(a, b, middle) < confidence ? low : high) = middle;
  }
  return high;
}

}  // namespace pbatch
