// How far a network with states is from the float network along a stream, without labels.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "feed/step_ports.h"
#include "tools/eval/contender.h"
#include "tools/eval/metrics.h"

namespace pbatch {

struct StreamOptions {
  std::int64_t limit = 0;  ///< only the first steps; 0: all
  StepPortOptions ports;
  TimingOptions timing;
};

struct StreamRow {
  OutputError error;  ///< of the output that is read, over all steps
  Cost cost;          ///< latency of one step
};

struct Stream {
  std::int64_t steps = 0;
  std::string input, output, states;  ///< names of the ports fed and read; as describe_states
  std::vector<StreamRow> rows;        ///< one per contender
};

/// Feeds data[t] at step t, states going from step to step from zero, to every contender; the first
/// is the float network and the reference. `data` is [steps][...], a step in any shape that
/// fit_items takes for a batch of 1. `constants` are inputs that stay the same; together with the
/// fed input and the states they must be all inputs. Latency is of one step, states carried on.
Result<Stream> evaluate_stream(std::span<const Contender> contenders, const Tensor& data,
                               const std::vector<NamedTensor>& constants,
                               const StreamOptions& options, Progress& progress);

}  // namespace pbatch
