// The return of a control policy, played in a small environment at several precisions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "feed/step_ports.h"
#include "tools/eval/contender.h"

namespace pbatch {

struct ControlOptions {
  std::int64_t episodes = 100;
  std::uint64_t seed = 0;  ///< episode e starts from seed + e, the same for every contender
  StepPortOptions ports;
  TimingOptions timing;
};

/// Of the sums of rewards, one per episode.
struct ControlRow {
  double mean = 0, deviation = 0, least = 0, greatest = 0;  ///< deviation: of the population
  double mean_steps = 0;                                    ///< an episode's length
  Cost cost;                                                ///< latency of one decision
};

struct Control {
  std::int64_t episodes = 0;
  std::string states;            ///< as describe_states
  std::vector<ControlRow> rows;  ///< one per contender
};

/// Plays every contender; the first is the float network. The policy takes an observation as
/// floats, with a batch dimension of 1 or none. Of discrete actions it gives one value each and
/// the greatest is taken (the first of equals), or one integer, the action; a continuous action is
/// its one value. States, if it has any, start from zero in every episode. Latency is of one run of
/// the network, on observations that the float policy met. invalid_argument for an unknown
/// environment, shape_mismatch for a policy of another one, not_finite for a NaN as an answer.
Result<Control> evaluate_control(std::span<const Contender> contenders,
                                 const std::string& environment, const ControlOptions& options,
                                 Progress& progress);

}  // namespace pbatch
