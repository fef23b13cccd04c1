#include "cli/bits.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace pbatch::cli {
namespace {

std::optional<int> parse_int(const std::string& text) {
  int value = 0;
  const char* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || at != end || text.empty()) return std::nullopt;
  return value;
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == separator) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

void add_once(std::vector<int>& list, int value) {
  if (std::find(list.begin(), list.end(), value) == list.end()) list.push_back(value);
}

bool is_width(int bits) { return (bits >= 1 && bits <= 16) || bits == 32; }
bool is_activation(int bits) { return bits == 8 || bits == 16 || bits == 32; }

std::optional<int> parse_activation(const std::string& text) {
  if (text == "8s") return kActivations8s;
  const std::optional<int> bits = parse_int(text);
  return bits && is_activation(*bits) ? bits : std::nullopt;
}

[[noreturn]] void bad(const std::string& option, const std::string& text,
                      const std::string& wanted) {
  throw CLI::ValidationError(option, "'" + text + "' is not " + wanted);
}

}  // namespace

std::vector<int> parse_weight_bits(const std::string& text, const std::string& option) {
  const std::string wanted = "a list of widths from 1 to 16, or 32, such as 4 or 1:8 or 1,2,4";
  std::vector<int> list;
  for (const std::string& part : split(text, ',')) {
    const std::vector<std::string> ends = split(part, ':');
    const std::optional<int> first = parse_int(ends[0]);
    if (ends.size() > 2 || !first || !is_width(*first)) bad(option, text, wanted);
    const std::optional<int> last = ends.size() == 2 ? parse_int(ends[1]) : first;
    if (!last || !is_width(*last) || *last < *first) bad(option, text, wanted);
    if (ends.size() == 2 && *last > 16) bad(option, text, wanted);
    for (int bits = *first; bits <= *last; ++bits) add_once(list, bits);
  }
  return list;
}

std::vector<int> parse_activation_bits(const std::string& text) {
  std::vector<int> list;
  for (const std::string& part : split(text, ',')) {
    const std::optional<int> bits = parse_activation(part);
    if (!bits) bad("--abits", text, "a list of 8, 16, 32 and 8s");
    add_once(list, *bits);
  }
  return list;
}

LayerPrecision parse_precision(const std::string& text, const std::string& option) {
  const std::vector<std::string> parts = split(text, ',');
  const std::optional<int> weights = parse_int(parts[0]);
  const std::optional<int> activations = parts.size() > 1 ? parse_activation(parts[1]) : 16;
  if (parts.size() > 2 || !weights || !is_width(*weights) || !activations) {
    bad(option, text, "W or W,A with W from 1 to 16 or 32, and A 8, 16, 32 or 8s");
  }
  return {*weights, *weights == 32 && parts.size() == 1 ? 32 : *activations};
}

std::vector<int> parse_counts(const std::string& text, const std::string& option, int greatest) {
  std::vector<int> list;
  for (const std::string& part : split(text, ',')) {
    const std::optional<int> count = parse_int(part);
    if (!count || *count < 1 || *count > greatest) {
      bad(option, text, "a list of numbers from 1 to " + std::to_string(greatest));
    }
    add_once(list, *count);
  }
  return list;
}

std::vector<int> parse_cpus(const std::string& text) {
  constexpr int kMaxCpu = 1 << 20;
  std::vector<int> list;
  for (const std::string& part : split(text, ',')) {
    const std::vector<std::string> ends = split(part, ':');
    const std::optional<int> first = parse_int(ends.front()), last = parse_int(ends.back());
    if (ends.size() > 2 || !first || !last || *first < 0 || *last < *first || *last > kMaxCpu) {
      bad("--cpus", text, "a list of CPUs, such as 0,2 or 0:3");
    }
    for (int cpu = *first; cpu <= *last; ++cpu) list.push_back(cpu);
  }
  return list;
}

CLI::Option* add_allocation_option(CLI::App& command, std::string& file) {
  return command
      .add_option("--allocation", file, "In place of --bits: a file of 'pbatch allocate'")
      ->type_name("FILE");
}

void LayerOverrides::add_to(CLI::App& command) {
  command
      .add_option("--layer", texts, "Precision of one layer, whatever --bits says; may be repeated")
      ->type_name("NAME=W[,A]")
      ->allow_extra_args(false);
  command.add_flag("--exact", exact,
                   "Bit-layers everywhere, the same bits on every machine: no convolution in float "
                   "because that is faster");
  command
      .add_option_function<std::string>(
          "--arithmetic",
          [this](const std::string& text) {
            arithmetic = text == "integer" ? Arithmetic::integers : Arithmetic::floats;
          },
          "Between products: float, or integers alone, with the same bits on every machine")
      ->check(CLI::IsMember({"float", "integer"}))
      ->default_str("float");
}

void LayerOverrides::parse() {
  for (const std::string& text : texts) {
    const std::size_t equals = text.rfind('=');
    if (equals == std::string::npos || equals == 0) bad("--layer", text, "NAME=W[,A]");
    layers[text.substr(0, equals)] = parse_precision(text.substr(equals + 1), "--layer");
  }
}

Status LayerOverrides::check(const Session& session) const {
  for (const auto& [name, precision] : layers) {
    std::string known;
    bool found = false;
    for (const LayerInfo& layer : session.layers()) {
      found = found || layer.name == name;
      known += (known.empty() ? "'" : ", '") + layer.name + "'";
    }
    if (!found) {
      return {ErrorCode::not_found, "no quantized layer is named '" + name + "'",
              known.empty() ? "nothing in this network is quantized" : "its layers are " + known};
    }
  }
  return Status::ok();
}

Result<Precision> precision_of_allocation(const std::string& file, const Session& session,
                                          const LayerOverrides& overrides) {
  PBATCH_ASSIGN_OR_RETURN(Precision precision, Precision::from_allocation(file, session));
  for (const auto& [name, bits] : overrides.layers) precision.layers[name] = bits;
  precision.exact = overrides.exact;
  precision.arithmetic = overrides.arithmetic;
  return precision;
}

std::string activation_name(int bits) {
  return bits == kActivations8s ? "8s" : std::to_string(bits);
}

nlohmann::json activation_json(int bits) {
  if (bits == kActivations8s) return "8s";
  return bits;
}

void refuse_8s(const std::vector<int>& activation_bits, const std::string& why) {
  const auto found = std::find(activation_bits.begin(), activation_bits.end(), kActivations8s);
  if (found != activation_bits.end()) throw CLI::ValidationError("--abits", why);
}

std::string width_name(const Precision& precision) {
  const std::string base =
      precision.all.weight_bits == 32
          ? "float"
          : std::to_string(precision.all.weight_bits) + "-bit" +
                (precision.arithmetic == Arithmetic::integers ? " integer" : "");
  return precision.layers.empty() ? base : base + " + layers";
}

}  // namespace pbatch::cli
