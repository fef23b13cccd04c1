// Text that a user wrote: numbers, and lines of them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pbatch/status.h"

namespace pbatch {

/// The whole file, plain or gzipped.
Result<std::string> read_text_file(const std::string& path);

/// Appends the integers of `text`, which white space separates. malformed names the word that is
/// none or does not fit 64 bits.
Status parse_integers(std::string_view text, std::vector<std::int64_t>* out);

}  // namespace pbatch
