// Layers that quantize much worse than the others.
#pragma once

#include <vector>

#include "pbatch/quantize.h"

namespace pbatch {

/// Fills in LayerReport::warning where the error at 4 bits (or at all planes, if they are fewer)
/// is far above that of the network's other layers, or above what any bell-shaped weights have.
/// Such weights have heavy tails: few large ones make the steps of their groups too coarse.
void warn_of_unusual_errors(std::vector<LayerReport>& reports);

}  // namespace pbatch
