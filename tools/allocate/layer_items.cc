#include "tools/allocate/layer_items.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace pbatch {
namespace {

using Layers = std::vector<const LayerInfo*>;  // of one matrix

std::vector<Layers> by_matrix(const std::vector<LayerInfo>& layers) {
  std::vector<Layers> all;
  for (const LayerInfo& layer : layers) {
    const auto same = std::find_if(all.begin(), all.end(), [&](const Layers& known) {
      return known[0]->name == layer.same_as;
    });
    if (same != all.end()) {
      same->push_back(&layer);
    } else {
      all.push_back({&layer});
    }
  }
  return all;
}

// What is left of the widths for a matrix.
std::vector<int> widths_of(const Layers& layers, std::vector<int> widths) {
  const int most = layers[0]->planes_available;
  int least = 1;
  for (const LayerInfo* layer : layers) least = std::max(least, layer->min_weight_bits);
  for (int& width : widths) width = std::clamp(width, std::min(least, most), most);
  std::sort(widths.begin(), widths.end());
  widths.erase(std::unique(widths.begin(), widths.end()), widths.end());
  return widths;
}

std::vector<LayerChoice> choices_of(const Layers& layers, const WidthRange& range) {
  std::vector<LayerChoice> choices;
  const auto add = [&](const LayerPrecision& bits) {
    const LayerInfo& m = *layers[0];
    choices.push_back({bits, 0, 0,
                       bits.weight_bits == 32 ? 4 * m.rows * m.cols
                                              : bits.weight_bits * m.plane_bytes + m.scale_bytes});
  };
  for (const LayerInfo* layer : layers) {
    const auto fixed = range.fixed.find(layer->name);
    if (fixed == range.fixed.end()) continue;
    add(fixed->second);
    return choices;
  }
  std::vector<int> activations = range.activation_bits;
  std::sort(activations.begin(), activations.end());
  for (const int width : widths_of(layers, range.weight_bits)) {
    for (const int abits : activations) add({width, abits});
  }
  return choices;
}

}  // namespace

std::vector<LayerItem> layer_items(const Session& session, const WidthRange& widths) {
  std::vector<LayerItem> items;
  for (const Layers& layers : by_matrix(session.layers())) {
    LayerItem item;
    for (const LayerInfo* layer : layers) item.layers.push_back(layer->name);
    item.choices = choices_of(layers, widths);
    items.push_back(std::move(item));
  }
  return items;
}

Precision precision_of(const std::vector<LayerItem>& items, const std::vector<std::size_t>& chosen,
                       bool exact) {
  Precision precision;
  precision.all = {0, 0};
  precision.exact = exact;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const LayerPrecision& bits = items[i].choices[chosen[i]].bits;
    for (const std::string& layer : items[i].layers) precision.layers[layer] = bits;
    precision.all.weight_bits = std::max(precision.all.weight_bits, bits.weight_bits);
    precision.all.activation_bits = std::max(precision.all.activation_bits, bits.activation_bits);
  }
  return precision;
}

std::vector<std::size_t> nearest_choices(const std::vector<LayerItem>& items,
                                         const LayerPrecision& bits) {
  std::vector<std::size_t> chosen;
  for (const LayerItem& item : items) {
    const auto distance = [&](const LayerChoice& choice) {
      return 64 * std::abs(choice.bits.weight_bits - bits.weight_bits) +
             std::abs(choice.bits.activation_bits - bits.activation_bits);
    };
    const auto nearest = std::min_element(
        item.choices.begin(), item.choices.end(),
        [&](const LayerChoice& a, const LayerChoice& b) { return distance(a) < distance(b); });
    chosen.push_back(static_cast<std::size_t>(nearest - item.choices.begin()));
  }
  return chosen;
}

}  // namespace pbatch
