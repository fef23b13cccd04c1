// Precisions and numbers as the command line spells them.
#pragma once

#include <string>
#include <vector>

#include "cli/json.h"
#include "cli/options.h"
#include "pbatch/precision.h"
#include "pbatch/session.h"
#include "pbatch/status.h"

namespace pbatch::cli {

/// "4", "1:8", "1,2,4", "1:4,8,32": widths 1 to 16, or 32 for float. In the
/// order given, each once. Throws CLI::ValidationError, naming `option`.
std::vector<int> parse_weight_bits(const std::string& text, const std::string& option = "--bits");
/// "8", "8,16": of 8, 16, 32 and 8s.
std::vector<int> parse_activation_bits(const std::string& text);
/// "W" or "W,A"; A defaults to 16.
LayerPrecision parse_precision(const std::string& text, const std::string& option);
/// Positive integers, "1,4,16".
std::vector<int> parse_counts(const std::string& text, const std::string& option, int greatest);
/// Numbers of CPUs, "0,2" or "0:3,8", in the order given.
std::vector<int> parse_cpus(const std::string& text);

/// --allocation FILE, in place of --bits.
CLI::Option* add_allocation_option(CLI::App& command, std::string& file);

/// --layer NAME=W[,A], repeated, --exact and --arithmetic.
struct LayerOverrides {
  std::vector<std::string> texts;
  bool exact = false;
  Arithmetic arithmetic = Arithmetic::floats;
  std::map<std::string, LayerPrecision> layers;

  void add_to(CLI::App& command);
  /// Reads the texts; throws CLI::ValidationError.
  void parse();
  /// The precision of these bits with all that.
  Precision with(const LayerPrecision& all) const { return {all, layers, exact, arithmetic}; }
  /// An error that lists the layers if one is unknown.
  Status check(const Session& session) const;
};

/// The bits that the allocation `file` gives the layers of `session`, but for `overrides`.
Result<Precision> precision_of_allocation(const std::string& file, const Session& session,
                                          const LayerOverrides& overrides);

/// "8", "16", "32" or "8s"; in JSON numbers, or the string "8s".
std::string activation_name(int bits);
nlohmann::json activation_json(int bits);
/// Throws CLI::ValidationError if 8s is among them.
void refuse_8s(const std::vector<int>& activation_bits, const std::string& why);

/// "4-bit" or "float"; "4-bit + layers" with overrides.
std::string width_name(const Precision& precision);

}  // namespace pbatch::cli
