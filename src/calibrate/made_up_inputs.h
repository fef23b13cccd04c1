// Inputs that a network's own structure suggests.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "calibrate/moment_collector.h"
#include "calibrate/network_kind.h"
#include "calibrate/network_runner.h"

namespace pbatch {

/// How a network is fed for statistics.
enum class Statistics {
  own_text,       ///< a language model writes: tokens drawn from its own answers
  random_tokens,  ///< numbers of rows of its tables, all alike
  noise,          ///< floats
  samples,        ///< the caller's
};

/// "its own text", as reports say it.
const char* statistics_name(Statistics statistics);

/// Which of them suits a network without samples. unsupported, with the reason, for one that none
/// is known to suit: fully connected networks on floats, which noise misleads, and convolutional
/// ones without recurrence, unless `forced`.
Result<Statistics> choose_statistics(const NetworkRunner& runner, const NetworkKind& kind,
                                     bool forced);

/// Feeds the network, watched by `collector`, until each product has seen vectors enough or the
/// work is as much as the budget allows. The same for the same seed. Errors of the network's runs.
Status feed_made_up(NetworkRunner& runner, const NetworkKind& kind, Statistics statistics,
                    std::uint64_t seed, MomentCollector& collector);

}  // namespace pbatch
