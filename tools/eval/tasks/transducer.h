// An encoder and a decoder joined: how one's outputs become the other's inputs.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "feed/token_layout.h"
#include "tools/eval/stepper.h"
#include "tools/eval/tasks/seq2seq.h"
#include "tools/io/sequence_pairs.h"

namespace pbatch {

struct TransducerPorts {
  std::size_t tokens = 0;  ///< the encoder's inputs
  std::optional<std::size_t> length;
  TokenLayout layout;  ///< of `tokens`
  StepPorts decoder;
  std::vector<StatePair> feeds;  ///< decoder's input, encoder's output
};

/// Finds the ports, and by running the first contenders on `source` how tokens lie.
Result<TransducerPorts> find_transducer_ports(std::span<const Contender> encoders,
                                              std::span<const Contender> decoders,
                                              const Seq2SeqOptions& options,
                                              std::span<const std::int64_t> source);

/// One encoder and decoder at work. For one thread; keep what it is made of alive.
class Transducer {
 public:
  Transducer(const Contender& encoder, const Contender& decoder, const TransducerPorts& ports)
      : encoder_(&encoder), stepper_(decoder, ports.decoder), ports_(&ports) {}

  /// Reads a source; the decoder then stands before its first step.
  Status read(std::span<const std::int64_t> source);
  /// One decoder step: a value for every token of the vocabulary, or the token itself.
  Result<Tensor> step(std::int64_t token);
  /// Greedy decoding from `start` on, without `stop`.
  Result<TokenSequence> write(const Seq2SeqOptions& options);

 private:
  const Contender* encoder_;
  Stepper stepper_;
  const TransducerPorts* ports_;
};

/// The token that an output of Transducer::step names. not_finite for a NaN.
Result<std::int64_t> chosen_token(const Tensor& output);

/// The encoder's outputs for one source.
Result<std::vector<Tensor>> encode(const Contender& encoder, const TransducerPorts& ports,
                                   std::span<const std::int64_t> source);

}  // namespace pbatch
