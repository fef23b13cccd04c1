// Which width to run a network at, and which of its layers stand in the way.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tools/bench/progress.h"
#include "tools/eval/contender.h"

namespace pbatch {

struct WidthAdvice {
  std::vector<double> rel_error;  ///< of all layers at i + 1 bits, 16-bit activations
  /// Errors that a user may want to stay within, and the least width that does; 0: none.
  std::vector<std::pair<double, int>> targets;
  /// Layers that make most of the error at `layer_bits`, each with its share of the sum of squares
  /// of all, the greatest first; none where no layer stands out.
  std::vector<std::pair<std::string, double>> layers;
  int layer_bits = 0;
};

/// Runs `session`, a network of bit-layers, on `sets` at every width, and with each layer alone at
/// the least width that stays within 5 %, or the widest; compares with `reference`, the float
/// network. Errors of the runs.
Result<WidthAdvice> advise_widths(const Session& session, const Contender& reference,
                                  const InputSets& sets, Progress& progress);

}  // namespace pbatch
