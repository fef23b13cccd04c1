#include "quantize/options.h"

#include <charconv>
#include <cstdint>

namespace pbatch {
namespace {

constexpr std::string_view kOptionNames[] = {
#define PBATCH_QUANTIZE_OPTION(name, field, least, greatest, help) #name,
#include "pbatch/quantize_options.inc"
};

std::string text_of(double number) {
  std::string text = std::to_string(number);
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text;
}

Status out_of_range(std::string_view name, std::string_view value, double least, double greatest) {
  return {ErrorCode::invalid_argument,
          "option '" + std::string(name) + "' cannot be '" + std::string(value) + "'",
          "use a number from " + text_of(least) +
              (greatest > 1e9 ? std::string(" up") : " to " + text_of(greatest))};
}

template <class Number>
bool is_within(Number number, double least, double greatest) {
  const auto value = static_cast<double>(number);
  return value >= least && value <= greatest;  // not NaN
}

template <class Number>
Status read(std::string_view name, std::string_view text, double least, double greatest,
            Number& to) {
  Number number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stop != end || !is_within(number, least, greatest)) {
    return out_of_range(name, text, least, greatest);
  }
  to = number;
  return Status::ok();
}

}  // namespace

std::span<const std::string_view> option_names() { return kOptionNames; }

Status set_option(QuantizeOptions& options, std::string_view name, std::string_view value) {
#define PBATCH_QUANTIZE_OPTION(option, field, least, greatest, help)                    \
  if (name == #option) {                                                                \
    return read(name, value, static_cast<double>(least), static_cast<double>(greatest), \
                options.field);                                                         \
  }
#include "pbatch/quantize_options.inc"
  std::string names;
  for (const std::string_view known : kOptionNames) names += " " + std::string(known);
  return {ErrorCode::invalid_argument,
          "quantization has no option '" + std::string(name) + "' of numbers",
          "use one of" + names};
}

Status check_options(const QuantizeOptions& options) {
#define PBATCH_QUANTIZE_OPTION(option, field, least, greatest, help)                          \
  if (!is_within(options.field, static_cast<double>(least), static_cast<double>(greatest))) { \
    return out_of_range(#option, text_of(static_cast<double>(options.field)),                 \
                        static_cast<double>(least), static_cast<double>(greatest));           \
  }
#include "pbatch/quantize_options.inc"
  return Status::ok();
}

}  // namespace pbatch
