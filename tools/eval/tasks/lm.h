// How well a language model predicts a text, at several precisions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "feed/step_ports.h"
#include "feed/token_layout.h"
#include "tools/eval/contender.h"
#include "tools/io/token_streams.h"

namespace pbatch {

struct LmOptions {
  std::int64_t warmup = 0;  ///< tokens at each stream's start that are not predicted, only read
  std::int64_t steps = 0;   ///< tokens of each stream in one run; 0: 64, or as the network fixes
  FirstAxis first_axis = FirstAxis::unknown;
  StepPortOptions ports;
  TimingOptions timing;
};

struct LmRow {
  double perplexity = 0;      ///< exp of the mean negative log-likelihood of a token
  double bits_per_token = 0;  ///< that mean over log 2
  Cost cost;                  ///< latency of one token
};

struct LanguageModel {
  std::int64_t tokens = 0;  ///< that were predicted: all but the first, or warmup, of each stream
  std::int64_t vocabulary = 0, streams = 0, batch = 0, steps = 0;
  std::string layout, states;  ///< "[time, batch]"; as describe_states
  bool probabilities = false;  ///< the network ends in a Softmax of its own
  std::vector<LmRow> rows;     ///< one per contender
};

/// Runs every contender through the same streams; the first is the float network. States start from
/// zero at the start of each stream and go from run to run. Each token is predicted from all before
/// it in its stream. All streams run side by side unless the network fixes its batch. Latency is of
/// one stream, token by token, states carried on; where the network fixes batch or steps, of one
/// run over their product. A value that is no number (NaN) stays one.
Result<LanguageModel> evaluate_lm(std::span<const Contender> contenders, const TokenStreams& data,
                                  const LmOptions& options, Progress& progress);

}  // namespace pbatch
