// The narrow scales of a codebook, fitted to what groups want.
#pragma once

#include <cstdint>
#include <vector>

#include "quantize/row_compensator.h"

namespace pbatch {

/// What one group wants, and what deviations from it cost: importance, curvature and row scale.
struct WantedScales {
  std::uint8_t entry = 0;  ///< that it has now
  ScaleTarget target[3];   ///< of the narrow widths
};

/// The level of each entry: those with one level have one step and may stand in for each other. 0
/// for entries that the table does not use, and for entry 0, the one of zeros.
std::vector<std::uint8_t> levels_of(const ScaleTable& table);

/// Entries of `table` moved, each level by itself, by rounds of Lloyd's algorithm, so that the
/// weighted squared deviations of the groups from the nearest entry of their level become small.
/// Steps stay. The same for every order of calls; `wanted` in a fixed order.
void fit_table(const std::vector<WantedScales>& wanted, ScaleTable* table);

}  // namespace pbatch
