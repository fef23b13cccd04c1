#include "cli/quantities.h"

#include <charconv>
#include <cmath>
#include <utility>
#include <vector>

#include "cli/options.h"

namespace pbatch::cli {
namespace {

using Units = std::vector<std::pair<const char*, double>>;

double parse_quantity(const std::string& text, const std::string& option, const Units& units,
                      const std::string& wanted) {
  double value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  for (const auto& [unit, factor] : units) {
    if (error != std::errc() || std::string(stop, end) != unit) continue;
    if (value > 0 && std::isfinite(value * factor)) return value * factor;
  }
  throw CLI::ValidationError(option, "'" + text + "' is not " + wanted);
}

}  // namespace

double parse_share(const std::string& text, const std::string& option) {
  return parse_quantity(text, option, {{"%", 0.01}, {"", 1}}, "a share such as 1% or 0.01");
}

double parse_microseconds(const std::string& text, const std::string& option) {
  return parse_quantity(text, option, {{"us", 1}, {"ms", 1e3}, {"s", 1e6}},
                        "a time such as 300us or 1.5ms");
}

double parse_bytes(const std::string& text, const std::string& option) {
  return parse_quantity(text, option,
                        {{"", 1},
                         {"B", 1},
                         {"kB", 1e3},
                         {"MB", 1e6},
                         {"GB", 1e9},
                         {"KiB", 1024},
                         {"MiB", 1024.0 * 1024},
                         {"GiB", 1024.0 * 1024 * 1024}},
                        "a size such as 2MB or 500kB");
}

}  // namespace pbatch::cli
