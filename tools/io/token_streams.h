// A text as token numbers, in one or more streams that are read side by side.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pbatch/status.h"

namespace pbatch {

struct TokenStreams {
  std::vector<std::int64_t> tokens;  ///< [streams][length]
  std::int64_t streams = 0, length = 0;

  std::int64_t at(std::int64_t stream, std::int64_t position) const {
    return tokens[static_cast<std::size_t>(stream * length + position)];
  }
  /// Keeps the first `length` tokens of each stream; 0: all.
  void limit(std::int64_t new_length);
};

/// Reads a text file of integers, or a .npy or IDX file of integers, told apart by content, each
/// also gzipped. An array of two dimensions holds a stream in each row; `streams` then must be 0
/// or the number of rows. Anything else is one text, cut into `streams` (0: 1) consecutive parts of
/// equal length; what is left over is dropped. Each stream has 2 tokens or more.
Result<TokenStreams> read_token_streams(const std::string& path, std::int64_t streams);

}  // namespace pbatch
