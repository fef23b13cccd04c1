// Token sequences and what they should be turned into.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pbatch/status.h"

namespace pbatch {

using TokenSequence = std::vector<std::int64_t>;

struct SequencePair {
  TokenSequence source;
  std::vector<TokenSequence> references;  ///< one or more, each as good as the others
  std::size_t line = 0;                   ///< in the file, from 1
};

/// Reads lines of token numbers: the source, a tab, a reference, and perhaps more tabs and
/// references; numbers are separated by spaces. Empty lines do not count. malformed names the line.
/// The file may be gzipped.
Result<std::vector<SequencePair>> read_sequence_pairs(const std::string& path);

}  // namespace pbatch
