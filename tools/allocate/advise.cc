#include "tools/allocate/advise.h"

#include <algorithm>
#include <array>

#include "tools/allocate/fit_inputs.h"
#include "tools/allocate/network_error.h"
#include "tools/allocate/sensitivity.h"

namespace pbatch {
namespace {

constexpr std::array<double, 4> kTargets{0.1, 0.05, 0.02, 0.01};
constexpr double kLayerTarget = 0.05;
constexpr double kMostOfIt = 0.5;
constexpr std::size_t kFewLayers = 3;  // that may be named, and fewer than half of all
constexpr double kSensitivitySeconds = 4;

int least_width(const std::vector<double>& errors, double target) {
  const auto found =
      std::find_if(errors.begin(), errors.end(), [&](double error) { return error <= target; });
  return found == errors.end() ? 0 : static_cast<int>(found - errors.begin()) + 1;
}

using Share = std::pair<std::string, double>;

// The greatest ones, until they are most of all; none if these are many.
std::vector<Share> greatest(const std::vector<LayerItem>& items) {
  std::vector<Share> shares;
  double sum = 0;
  for (const LayerItem& item : items) {
    shares.emplace_back(item.layers[0], item.choices[0].squared_error);
    sum += shares.back().second;
  }
  std::stable_sort(shares.begin(), shares.end(),
                   [](const Share& a, const Share& b) { return a.second > b.second; });
  std::size_t named = 0;
  for (double reached = 0; named < shares.size() && reached <= kMostOfIt * sum; ++named) {
    reached += shares[named].second;
  }
  if (named > kFewLayers || 2 * named >= shares.size() || !(sum > 0)) return {};
  shares.resize(named);
  for (Share& share : shares) share.second /= sum;
  return shares;
}

}  // namespace

Result<WidthAdvice> advise_widths(const Session& session, const Contender& reference,
                                  const InputSets& given, Progress& progress) {
  WidthAdvice advice;
  const double times = session.max_weight_bits() + double(session.layers().size());
  PBATCH_ASSIGN_OR_RETURN(const InputSets sets,
                          fit_inputs(session, Precision::f32(), given, times, kSensitivitySeconds));
  PBATCH_ASSIGN_OR_RETURN(const NetworkError error, NetworkError::create(reference, session, sets));
  progress.begin("widths", session.max_weight_bits());
  for (int bits = 1; bits <= session.max_weight_bits(); ++bits) {
    PBATCH_ASSIGN_OR_RETURN(const double at, error.of(Precision::bits(bits)));
    advice.rel_error.push_back(at);
    progress.step();
  }
  for (const double target : kTargets) {
    advice.targets.emplace_back(target, least_width(advice.rel_error, target));
  }
  const int width = least_width(advice.rel_error, kLayerTarget);
  advice.layer_bits = width == 0 ? session.max_weight_bits() : width;
  std::vector<LayerItem> items =
      layer_items(session, {{advice.layer_bits}, {16}, {}, /*exact=*/false});
  PBATCH_RETURN_IF_ERROR(measure_sensitivity(session, sets, kSensitivitySeconds, items, progress));
  advice.layers = greatest(items);
  return advice;
}

}  // namespace pbatch
