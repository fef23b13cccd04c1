// How far a network's outputs are from the float network's, without labels.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "tools/eval/contender.h"
#include "tools/eval/metrics.h"

namespace pbatch {

struct CompareRow {
  std::vector<OutputError> errors;  ///< of each output
  Cost cost;

  std::size_t worst() const { return worst_of(errors); }
  const OutputError& error() const { return errors[worst()]; }
};

/// Every contender on the same inputs, each output compared on its own; the first is the float
/// network and its own reference.
Result<std::vector<CompareRow>> compare(std::span<const Contender> contenders,
                                        const std::vector<NamedTensor>& inputs,
                                        const TimingOptions& timing, Progress& progress);

/// What narrowing one layer alone does to the outputs.
struct LayerErrors {
  std::string layer;
  std::vector<double> rel_error;  ///< one per width, of the worst output
};

/// Runs `session` with one layer at each of `widths` and all others in float
/// arithmetic on all their bit-layers, and compares with `reference`, the float network.
Result<std::vector<LayerErrors>> layer_errors(const Session& session, const Contender& reference,
                                              const std::vector<NamedTensor>& inputs,
                                              std::span<const int> widths, int activation_bits,
                                              Progress& progress);

}  // namespace pbatch
