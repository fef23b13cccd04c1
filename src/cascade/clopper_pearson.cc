#include "cascade/clopper_pearson.h"

#include <cmath>
#include <limits>

namespace pbatch {
namespace {

// The binomial distribution at k: the chance of k hits or fewer among n, each with p > k / n. From
// k downwards, where terms fall, until they add nothing.
double chance_of_so_few(double k, double n, double p) {
  double term = std::exp(std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1) +
                         k * std::log(p) + (n - k) * std::log1p(-p));
  double sum = 0;
  for (double i = k; i >= 0 && sum + term > sum; --i) {
    sum += term;
    term *= i * (1 - p) / ((n - i + 1) * p);
  }
  return sum;
}

}  // namespace

double clopper_pearson_upper(std::int64_t hits, std::int64_t items, double confidence) {
  if (hits >= items) return 1;
  const auto k = static_cast<double>(hits), n = static_cast<double>(items);
  if (hits == 0) return -std::expm1(std::log1p(-confidence) / n);
  double low = k / n, high = 1;
  while (high - low > 4 * std::numeric_limits<double>::epsilon() * high) {
    const double middle = low + (high - low) / 2;
    if (middle <= low || middle >= high) break;
    (chance_of_so_few(k, n, middle) > 1 - confidence ? low : high) = middle;
  }
  return high;
}

}  // namespace pbatch
