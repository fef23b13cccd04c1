#include "tools/render/text.h"

#include <fmt/format.h>

#include <cmath>

namespace pbatch {
namespace {

// Length of the valid UTF-8 sequence at the front of `text`, 0 if there is none.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const unsigned char second = byte(1);
  const bool overlong = (lead == 0xe0 && second < 0xa0) || (lead == 0xf0 && second < 0x90);
  const bool outside = (lead == 0xed && second > 0x9f) || (lead == 0xf4 && second > 0x8f);
  return overlong || outside ? 0 : length;
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const auto lead = static_cast<unsigned char>(text[0]);
    if (length == 0 || lead < 0x20 || lead == 0x7f) {
      out += "\xef\xbf\xbd";
    } else if (lead == '&') {
      out += "&amp;";
    } else if (lead == '<') {
      out += "&lt;";
    } else if (lead == '>') {
      out += "&gt;";
    } else if (lead == '"') {
      out += "&quot;";
    } else if (lead == '\'') {
      out += "&#39;";
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

std::string human_bytes(double bytes) {
  if (bytes < 1000) return fmt::format("{:.0f} B", bytes);
  const char* const units[] = {"kB", "MB", "GB", "TB"};
  std::size_t unit = 0;
  bytes /= 1000;
  while (bytes >= 999.5 && unit + 1 < std::size(units)) {
    bytes /= 1000;
    ++unit;
  }
  return fmt::format("{} {}", short_number(bytes), units[unit]);
}

std::string human_time(double microseconds) {
  if (microseconds < 1) return short_number(microseconds * 1000) + " ns";
  if (microseconds < 1000) return short_number(microseconds) + " us";
  if (microseconds < 1e6) return short_number(microseconds / 1000) + " ms";
  return short_number(microseconds / 1e6) + " s";
}

std::string short_number(double value) {
  const double size = std::fabs(value);
  if (value == 0) return "0";
  if (!std::isfinite(value)) return std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
  if (size < 1e-4 || size >= 1e6) return fmt::format("{:.2e}", value);
  const int digits_before = static_cast<int>(std::floor(std::log10(size))) + 1;
  return fmt::format("{:.{}f}", value, digits_before >= 3 ? 0 : 3 - digits_before);
}

}  // namespace pbatch
