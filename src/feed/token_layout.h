// How tokens of several sequences lie in a network's input, and its answers in its output.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "pbatch/network.h"
#include "pbatch/status.h"

namespace pbatch {

/// The dimensions of a token input, outermost first.
enum class TokenAxes { batch_time, time_batch, batch, time };

/// "[batch, time]".
const char* token_axes_name(TokenAxes axes);

/// A way to read a token input's shape. An axis that is not there counts as fixed at 1.
struct TokenLayout {
  TokenAxes axes = TokenAxes::batch_time;
  std::int64_t batch = -1, steps = -1;  ///< what the network fixes; -1: free

  Shape shape(std::int64_t b, std::int64_t t) const;
  /// Where step t of sequence b of b_count and t_count lies.
  std::int64_t index(std::int64_t b, std::int64_t t, std::int64_t b_count,
                     std::int64_t t_count) const;
  /// tokens[b * t_count + t] as an input of `port`'s type. invalid_argument if a token does not
  /// fit the type.
  Result<Tensor> input(const PortInfo& port, std::span<const std::int64_t> tokens,
                       std::int64_t b_count, std::int64_t t_count) const;
};

/// What the caller knows of a token input.
enum class FirstAxis { unknown, batch, time };

/// The readings of a port that agree with `first`, the likelier one first: a dimension fixed at 1
/// is rather the batch. unsupported for an empty shape or one of more dimensions.
Result<std::vector<TokenLayout>> token_layouts(const PortInfo& port, FirstAxis first);

/// Whether elements are integers, as tokens are.
bool holds_tokens(const PortInfo& port);

}  // namespace pbatch
