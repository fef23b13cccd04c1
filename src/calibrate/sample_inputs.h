// The caller's samples as inputs of a network.
#pragma once

#include <vector>

#include "calibrate/moment_collector.h"
#include "calibrate/network_kind.h"
#include "calibrate/network_runner.h"
#include "pbatch/quantize.h"

namespace pbatch {

/// Which part of the samples: three quarters to fit codes to, the last quarter to judge them by.
enum class SamplePart { fit, check };

/// Feeds a part of the samples to the network, watched by `collector`. A network that carries
/// states from run to run takes its items one after the other: rows of a two-dimensional array of
/// tokens are streams side by side, floats are one stream. Every other network takes items in any
/// order, as `eval --data` does. invalid_argument and shape_mismatch, with the input's name, for
/// samples that do not fit; errors of the network's runs.
Status feed_samples(NetworkRunner& runner, const NetworkKind& kind,
                    const std::vector<Sample>& samples, SamplePart part,
                    MomentCollector& collector);

}  // namespace pbatch
