// How a language model takes its tokens and gives its answers.
#pragma once

#include <cstdint>
#include <span>

#include "feed/token_layout.h"
#include "tools/eval/stepper.h"
#include "tools/io/token_streams.h"

namespace pbatch {

struct LmNet {
  StepPorts ports;
  TokenLayout layout;
  std::int64_t vocabulary = 0;
  bool answers_time_first = false;   ///< the output is [time, batch, ...]
  bool gives_probabilities = false;  ///< rows of the output are not negative and sum to 1

  /// The row of the output that answers to step t of sequence b.
  std::int64_t row(std::int64_t b, std::int64_t t, std::int64_t b_count,
                   std::int64_t t_count) const {
    return answers_time_first ? t * b_count + b : b * t_count + t;
  }
};

/// Finds the ports and tries which reading of the token input runs: states keep their shape, and
/// the output has a row for every token. Where both readings of a two-dimensional input run and do
/// not give a token the same answer, it is an error that asks for the first axis. Then checks that
/// every token is one of the vocabulary. Runs the first contender a few times.
Result<LmNet> find_lm_net(std::span<const Contender> contenders, const StepPortOptions& options,
                          FirstAxis first, const TokenStreams& data);

}  // namespace pbatch
