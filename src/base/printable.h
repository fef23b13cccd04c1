// Text from files, safe to show.
#pragma once

#include <string>
#include <string_view>

namespace pbatch {

/// Control characters as \xNN, so that a name from a file cannot drive a terminal.
std::string printable(std::string_view text);

}  // namespace pbatch
