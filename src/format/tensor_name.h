// Names that any reader of the data file can take.
#pragma once

#include <string>
#include <string_view>

namespace pbatch {

/// `name` with control characters and bytes that are not UTF-8 as "%XX"; all else as it is.
std::string printable_utf8(std::string_view name);

}  // namespace pbatch
