// Text of people's eyes: names made safe, numbers made short.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/printable.h"

namespace pbatch {

/// Safe inside HTML text and quoted attributes. Control characters and bytes
/// that are not UTF-8 become U+FFFD.
std::string escape_html(std::string_view text);

/// "512 B", "1.50 MB" (powers of 1000).
std::string human_bytes(double bytes);
/// "850 ns", "12.3 us", "4.56 ms", "1.20 s".
std::string human_time(double microseconds);
/// Three significant digits, e.g. "0.00123", "12.3", "1.2e-09".
std::string short_number(double value);

}  // namespace pbatch
