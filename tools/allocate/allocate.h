// Which width each layer gets, so that the network is small, fast or near to float.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tools/allocate/layer_items.h"
#include "tools/bench/progress.h"
#include "tools/bench/timing.h"
#include "tools/eval/contender.h"

namespace pbatch {

/// What has a limit; the rest is to be best.
enum class Limit {
  error,    ///< relative, of the worst output; `least` says what is least
  latency,  ///< microseconds of a run; the error is least
  bytes,    ///< of weights, scales and constants that a run reads; the error is least
};

/// What a limit on the error leaves to be least.
enum class Least {
  time,  ///< and bytes where times are alike: all bytes count as 2 % of the time
  bytes,
};

struct AllocationRequest {
  Limit limit = Limit::error;
  double most = 0;
  Least least = Least::time;
  WidthRange widths;
  /// Of layers by name (layer_importance); then no layer runs at its widths, and weight bits alone
  /// are chosen, with the most activation bits.
  std::optional<std::map<std::string, double>> importance;
  double seconds = 4;    ///< about half of what runs for errors take; fewer inputs where that
                         ///< is not enough for all
  TimingOptions timing;  ///< of runs that are timed
};

/// A precision of the network and what is known of it.
struct AllocationRow {
  Precision precision;
  LayerPrecision uniform;  ///< of a uniform one: the width, below which some layers may not go
  double error = 0;        ///< measured
  std::optional<double> predicted_error;  ///< by the sum over the layers, before it was measured
  double predicted_us = 0;
  std::optional<double> us;  ///< measured
  std::int64_t weight_bytes = 0;
};

struct BitAllocationResult {
  AllocationRow chosen;
  bool is_uniform = false;             ///< no mixture of widths is better than one for all layers
  std::vector<AllocationRow> uniform;  ///< the same width in all layers, but for least widths
  std::optional<std::size_t> best_uniform;  ///< of those that keep the limit; none may
  std::vector<LayerItem> items;             ///< what is known of each layer; no errors where
                                            ///< all bits are too far from float
  std::size_t error_runs = 0;               ///< inputs that errors were measured on
};

/// The allocation for `session` that keeps the limit and is best in what is left. Errors are
/// measured against `reference`, the float network, on `sets`; times are of runs on `timed`.
///
/// The model: squared errors of layers add up, and so do predicted times. Both sums are brought in
/// line with what uniform widths measure, the knapsack is solved exactly, the answer is measured,
/// the sums are corrected by that, and so on a few times. The best that was measured counts; a
/// uniform width that is as good is preferred. So errors keep their limit as measured, bytes are
/// exact, and times keep theirs as predicted after the last measurement.
/// invalid_argument if nothing keeps the limit, which says what comes nearest. Errors of runs.
Result<BitAllocationResult> allocate_bits(const Session& session, const Contender& reference,
                                          const InputSets& sets,
                                          const std::vector<NamedTensor>& timed,
                                          const AllocationRequest& request, Progress& progress);

}  // namespace pbatch
