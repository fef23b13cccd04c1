// Language models that are run token by token.
#pragma once

#include <cstdint>
#include <vector>

#include "calibrate/network_kind.h"
#include "calibrate/network_runner.h"
#include "feed/step_ports.h"
#include "feed/token_layout.h"

namespace pbatch {

/// One step of many streams side by side: tokens in, logits out, states carried on.
class TokenStepper {
 public:
  /// Finds ports, states and the reading of the token input by running it. unsupported if the
  /// network has no state, or none of its tables has as many rows as its answers have columns.
  static Result<TokenStepper> create(NetworkRunner& runner, const NetworkKind& kind,
                                     std::int64_t streams);

  std::int64_t streams() const { return streams_; }
  std::int64_t vocabulary() const { return vocabulary_; }
  void reset();
  /// [streams][vocabulary], float32. tokens: one a stream.
  Result<Tensor> step(const std::vector<std::int64_t>& tokens);

 private:
  NetworkRunner* runner_ = nullptr;
  StepPorts ports_;
  TokenLayout layout_;
  std::int64_t streams_ = 0, vocabulary_ = 0;
  std::vector<NamedTensor> zeros_, states_;
};

/// A token drawn from softmax(logits), by arithmetic that is the same on every machine.
/// `u`: 0 <= u < 1, where in the distribution.
std::int64_t draw_token(const float* logits, std::int64_t count, double u);

}  // namespace pbatch
