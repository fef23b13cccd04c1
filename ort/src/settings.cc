#include "settings.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <functional>
#include <optional>
#include <vector>

#include "quantize/options.h"

namespace pbatch::ort {
namespace {

/// Looks an option up by its short name ("bits"); none if it is not set.
using Lookup = std::function<std::optional<std::string>(const char* name)>;

Status bad_value(const std::string& name, const std::string& value, const std::string& remedy) {
  return {ErrorCode::invalid_argument, "option '" + name + "' cannot be '" + value + "'", remedy};
}

template <class Number>
std::optional<Number> parse(const std::string& text) {
  Number number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stop != end) return std::nullopt;
  return number;
}

template <class Number>
Status read_number(const Lookup& lookup, const char* name, Number least, Number most, Number* to) {
  const std::optional<std::string> text = lookup(name);
  if (!text) return Status::ok();
  const std::optional<Number> number = parse<Number>(*text);
  if (!number || *number < least || *number > most) {
    return bad_value(name, *text,
                     "use a number from " + std::to_string(least) + " to " + std::to_string(most));
  }
  *to = *number;
  return Status::ok();
}

bool is_weight_bits(int bits) { return (bits >= 1 && bits <= 16) || bits == 32; }
bool is_activation_bits(int bits) { return bits == 8 || bits == 16 || bits == 32; }

constexpr const char* kBitsRemedy = "use 1 to 16, or 32 for float";
constexpr const char* kActivationBitsRemedy = "use 8, 16 or 32";

Status read_bits(const Lookup& lookup, const char* name, bool (*allowed)(int), const char* remedy,
                 int* to) {
  const std::optional<std::string> text = lookup(name);
  if (!text) return Status::ok();
  const std::optional<int> bits = parse<int>(*text);
  if (!bits || !allowed(*bits)) return bad_value(name, *text, remedy);
  *to = *bits;
  return Status::ok();
}

std::vector<std::string> split(const std::string& text, char by) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(by, begin), text.size());
    if (end > begin) parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

// "fc1=3,8;fc2=4"
Status read_layers(const Lookup& lookup, Precision* precision) {
  const std::optional<std::string> text = lookup("layers");
  if (!text) return Status::ok();
  precision->layers.clear();
  for (const std::string& part : split(*text, ';')) {
    const std::size_t at = part.rfind('=');
    const std::string values = at == std::string::npos ? std::string() : part.substr(at + 1);
    const std::size_t comma = values.find(',');
    const std::optional<int> bits = parse<int>(values.substr(0, comma));
    const std::optional<int> abits = comma == std::string::npos
                                         ? std::optional(precision->all.activation_bits)
                                         : parse<int>(values.substr(comma + 1));
    if (at == 0 || !bits || !abits || !is_weight_bits(*bits) || !is_activation_bits(*abits)) {
      return bad_value("layers", *text, "write NAME=BITS or NAME=BITS,ABITS, several with ';'");
    }
    precision->layers[part.substr(0, at)] = {*bits, *abits};
  }
  return Status::ok();
}

Status read_precision(const Lookup& lookup, Precision* precision) {
  PBATCH_RETURN_IF_ERROR(
      read_bits(lookup, "bits", is_weight_bits, kBitsRemedy, &precision->all.weight_bits));
  PBATCH_RETURN_IF_ERROR(read_bits(lookup, "abits", is_activation_bits, kActivationBitsRemedy,
                                   &precision->all.activation_bits));
  int exact = precision->exact ? 1 : 0;
  PBATCH_RETURN_IF_ERROR(read_number(lookup, "exact", 0, 1, &exact));
  precision->exact = exact != 0;
  return read_layers(lookup, precision);
}

Status read_quantization(const Lookup& lookup, int bits, QuantizeOptions* to) {
  to->scheme = Scheme::plain;
  if (bits <= 16) to->planes = std::max(to->planes, bits);
  for (const std::string_view name : option_names()) {
    if (const std::optional<std::string> text = lookup(std::string(name).c_str())) {
      PBATCH_RETURN_IF_ERROR(set_option(*to, name, *text));
    }
  }
  if (const std::optional<std::string> group = lookup("group"); group && *group != "auto") {
    const std::optional<int> columns = parse<int>(*group);
    const bool known =
        columns && (*columns == 0 || *columns == 32 || *columns == 64 || *columns == 128);
    if (!known) return bad_value("group", *group, "use auto, 0, 32, 64 or 128");
    to->group = *columns;
  }
  if (const std::optional<std::string> names = lookup("exclude")) to->exclude = split(*names, ';');
  return Status::ok();
}

// ONNX Runtime keeps provider options among the config entries, behind the provider's name in
// small letters.
std::string provider_prefix() {
  std::string prefix = std::string("ep.") + kProviderName + ".";
  std::transform(prefix.begin(), prefix.end(), prefix.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return prefix;
}

}  // namespace

Result<Settings> read_settings(const OrtSessionOptions* options) {
  const Ort::ConstSessionOptions entries(options);
  const Lookup lookup = [&](const char* name) -> std::optional<std::string> {
    for (const std::string& prefix : {provider_prefix(), std::string("pbatch.")}) {
      const std::string key = prefix + name;
      if (entries.HasConfigEntry(key.c_str())) return entries.GetConfigEntry(key.c_str());
    }
    return std::nullopt;
  };
  Settings settings;
  settings.precision.exact = true;
  PBATCH_RETURN_IF_ERROR(read_precision(lookup, &settings.precision));
  PBATCH_RETURN_IF_ERROR(
      read_quantization(lookup, settings.precision.all.weight_bits, &settings.quantize));
  PBATCH_RETURN_IF_ERROR(read_number(lookup, "threads", 0, 1024, &settings.threads));
  int connect = 1;
  PBATCH_RETURN_IF_ERROR(read_number(lookup, "connect", 0, 1, &connect));
  settings.connect = connect != 0;
  settings.cache = lookup("cache").value_or(std::string());
  return settings;
}

Result<Precision> read_run_precision(const OrtRunOptions* options, const Precision& base) {
  Precision precision = base;
  if (options == nullptr) return precision;
  PBATCH_RETURN_IF_ERROR(read_precision(
      [&](const char* name) -> std::optional<std::string> {
        const std::string key = std::string("pbatch.") + name;
        const char* const value = Ort::GetApi().GetRunConfigEntry(options, key.c_str());
        if (value == nullptr) return std::nullopt;
        return value;
      },
      &precision));
  return precision;
}

}  // namespace pbatch::ort
