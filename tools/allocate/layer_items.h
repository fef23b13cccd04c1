// The layers of a network as items of a knapsack: what each may run at, and what that does.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "pbatch/precision.h"
#include "pbatch/session.h"
#include "pbatch/status.h"

namespace pbatch {

/// Widths to choose among.
struct WidthRange {
  std::vector<int> weight_bits, activation_bits;
  /// Of layers whose precision is not for choosing; those of the same matrix follow.
  std::map<std::string, LayerPrecision> fixed;
  bool exact = false;  ///< as in Precision
};

/// One width of a layer, and what it does to the network when all others keep all their bits.
struct LayerChoice {
  LayerPrecision bits;
  double squared_error = 0;  ///< relative, of the worst output, against all bits
  double us = 0;             ///< predicted, of its products in a run
  std::int64_t bytes = 0;    ///< of planes and scales that a run reads
};

/// Layers that have one matrix, so one width. Most items are one layer.
struct LayerItem {
  std::vector<std::string> layers;
  std::vector<LayerChoice> choices;  ///< by weight bits, then activation bits, rising
};

/// The choices of every layer, with their bytes. Widths below a layer's least and above its planes
/// are none; of a layer that has none left the nearest is. Precondition: both lists hold something.
std::vector<LayerItem> layer_items(const Session& session, const WidthRange& widths);

/// The precision in which item i runs at choices[chosen[i]].
Precision precision_of(const std::vector<LayerItem>& items, const std::vector<std::size_t>& chosen,
                       bool exact);

/// Of each item the choice nearest to `bits`.
std::vector<std::size_t> nearest_choices(const std::vector<LayerItem>& items,
                                         const LayerPrecision& bits);

}  // namespace pbatch
