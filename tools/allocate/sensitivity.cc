#include "tools/allocate/sensitivity.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>

#include "tools/allocate/network_error.h"

namespace pbatch {
namespace {

constexpr double kLeastSquaredError = 1e-30;  // has a logarithm

class ItemErrors {
 public:
  ItemErrors(const NetworkError& error, LayerItem& item) : error_(error), item_(item) {
    for (const LayerChoice& choice : item.choices) {
      if (widths_.empty() || widths_.back() != choice.bits.weight_bits) {
        widths_.push_back(choice.bits.weight_bits);
      }
      most_abits_ = std::max(most_abits_, choice.bits.activation_bits);
    }
  }

  std::size_t width_count() const { return widths_.size(); }
  std::size_t abits_count() const { return item_.choices.size() / widths_.size(); }

  // At `count` of the widths, evenly spread.
  Status measure(std::size_t count) {
    std::map<int, double> by_width, by_abits;
    const std::size_t last = widths_.size() - 1;
    count = std::min(count, widths_.size());
    for (std::size_t i = 0; i < count; ++i) {
      const int width = widths_[count == 1 ? last : (i * last + (count - 1) / 2) / (count - 1)];
      PBATCH_ASSIGN_OR_RETURN(by_width[width], squared(LayerPrecision{width, most_abits_}));
    }
    const int widest = widths_.back();
    for (const LayerChoice& choice : item_.choices) {
      const int abits = choice.bits.activation_bits;
      if (choice.bits.weight_bits != widest || abits == most_abits_) continue;
      PBATCH_ASSIGN_OR_RETURN(const double narrow, squared(LayerPrecision{widest, abits}));
      by_abits[abits] = std::max(0.0, narrow - by_width[widest]);
    }
    for (LayerChoice& choice : item_.choices) {
      choice.squared_error =
          between(by_width, choice.bits.weight_bits) + by_abits[choice.bits.activation_bits];
    }
    return Status::ok();
  }

 private:
  Result<double> squared(const LayerPrecision& bits) const {
    Precision precision = Precision::f32();
    for (const std::string& layer : item_.layers) precision.layers[layer] = bits;
    PBATCH_ASSIGN_OR_RETURN(const double error, error_.of(precision));
    // An output that is not a number is as wrong as can be.
    return std::isfinite(error) ? std::max(error * error, kLeastSquaredError) : 1e6;
  }

  static double between(const std::map<int, double>& known, int width) {
    const auto above = known.lower_bound(width);
    if (above->first == width) return above->second;
    const auto below = std::prev(above);
    const double part = double(width - below->first) / double(above->first - below->first);
    return std::exp(std::log(below->second) +
                    part * (std::log(above->second) - std::log(below->second)));
  }

  const NetworkError& error_;
  LayerItem& item_;
  std::vector<int> widths_;
  int most_abits_ = 0;
};

}  // namespace

Status measure_sensitivity(const Session& session, const InputSets& sets, double seconds,
                           std::vector<LayerItem>& items, Progress& progress) {
  const Contender all_bits{&session, Precision::f32(), {}};
  PBATCH_ASSIGN_OR_RETURN(const NetworkError error, NetworkError::create(all_bits, session, sets));
  const auto begin = std::chrono::steady_clock::now();
  PBATCH_RETURN_IF_ERROR(error.of(Precision::f32()).status());
  const std::chrono::duration<double> once = std::chrono::steady_clock::now() - begin;
  std::vector<ItemErrors> all;
  for (LayerItem& item : items) all.emplace_back(error, item);
  std::size_t widths = 2, runs_of_abits = 0;
  for (const ItemErrors& item : all) {
    widths = std::max(widths, item.width_count());
    runs_of_abits += item.abits_count() - 1;
  }
  const auto runs = [&] { return widths * all.size() + runs_of_abits; };
  while (widths > 2 && once.count() * static_cast<double>(runs()) > seconds) --widths;
  progress.begin("layers", static_cast<std::int64_t>(all.size()));
  for (ItemErrors& item : all) {
    PBATCH_RETURN_IF_ERROR(item.measure(widths));
    progress.step();
  }
  return Status::ok();
}

}  // namespace pbatch
