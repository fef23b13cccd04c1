// How well an encoder and a decoder turn one token sequence into another, at several precisions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "feed/step_ports.h"
#include "feed/token_layout.h"
#include "tools/eval/contender.h"
#include "tools/io/sequence_pairs.h"

namespace pbatch {

struct Seq2SeqOptions {
  std::int64_t start = 0, stop = 0;  ///< tokens that the decoder is fed first, and that ends it
  std::int64_t max_length = 64;      ///< of an answer that never stops
  FirstAxis first_axis = FirstAxis::unknown;  ///< of the encoder's token input
  StepPortOptions decoder;
  /// (decoder's input, encoder's output that it starts from); others are found by match_ports.
  std::vector<std::pair<std::string, std::string>> feeds;
  TimingOptions timing;
};

struct Seq2SeqRow {
  double token_error = 0;     ///< edits to the references over the references' tokens
  double sequence_error = 0;  ///< share of answers that are no reference
  Cost cost;                  ///< latency of one sequence
};

struct Seq2Seq {
  std::int64_t vocabulary = 0;
  std::string layout, feeds, states;  ///< of the encoder's tokens; as describe_states
  std::vector<Seq2SeqRow> rows;       ///< one per contender
};

/// Decodes every source greedily with every pair of encoder and decoder, which stand in the same
/// order; the first are the float networks. The encoder takes all of a source at once, perhaps its
/// length, and zeros for any other input; its outputs are the decoder's states at the start, or
/// constants. The decoder takes one token a step, first `start`, then its own answers, the greatest
/// of its output, until `stop`. An answer is compared with the reference that it is nearest to,
/// without start and stop. Latency is of the encoder and of as many decoder steps as the first
/// reference and `stop` take, fed with the reference, so that a wrong answer's length is no
/// advantage. Errors in a pair name its line.
Result<Seq2Seq> evaluate_seq2seq(std::span<const Contender> encoders,
                                 std::span<const Contender> decoders,
                                 std::span<const SequencePair> pairs, const Seq2SeqOptions& options,
                                 Progress& progress);

}  // namespace pbatch
