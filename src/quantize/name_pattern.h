// Names with '*' for any run of characters.
#pragma once

#include <string_view>

namespace pbatch {

/// Whether the whole of `name` matches `pattern`.
bool matches_pattern(std::string_view name, std::string_view pattern);

}  // namespace pbatch
