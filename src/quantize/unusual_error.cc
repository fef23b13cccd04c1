#include "quantize/unusual_error.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>

namespace pbatch {
namespace {

constexpr std::size_t kWidth = 4;
// Twice the error. Layers of ordinary networks lie within 3 dB of each other.
constexpr double kFarAbove = 6;
// Normal weights have 20 dB at 4 bits, and 6 dB less for each bit less.
constexpr double kUsual = 20, kPerBit = 6;

double sqnr_at(const LayerReport& r, std::size_t width) {
  return r.sqnr_db[std::min(width, r.sqnr_db.size()) - 1];
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

void warn_of_unusual_errors(std::vector<LayerReport>& reports) {
  std::vector<double> all;
  std::size_t width = kWidth;
  for (const LayerReport& r : reports) {
    if (!r.quantized || r.sqnr_db.empty()) continue;
    all.push_back(sqnr_at(r, kWidth));
    width = std::min(kWidth, r.sqnr_db.size());
  }
  if (all.empty()) return;
  // A network of few layers has no usual error of its own.
  const double bell = kUsual - kPerBit * static_cast<double>(kWidth - width);
  const double usual = all.size() < 4 ? bell : std::max(median(all), bell - kFarAbove);
  for (LayerReport& r : reports) {
    if (!r.quantized || r.sqnr_db.empty()) continue;
    const double below = usual - sqnr_at(r, kWidth);
    if (below < kFarAbove) continue;
    r.warning = "its error at " + std::to_string(width) + " bits is " +
                std::to_string(std::lround(std::pow(10, below / 20))) +
                " times the usual one: few of its weights are far larger than the others; keep it "
                "float (exclude it), give it more bits than the others in a run, or use smaller "
                "groups";
  }
}

}  // namespace pbatch
