// What eval, compare and sweep have in common.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/json.h"
#include "cli/networks.h"
#include "cli/options.h"
#include "cli/shapes.h"
#include "tools/eval/compare.h"
#include "tools/eval/evaluate.h"

namespace pbatch::cli {

/// Labelled data: --data, --labels, --batch, --batch-axis, --limit.
struct DataFlags {
  std::vector<std::string> data;  ///< [NAME=]FILE
  std::string labels;
  std::vector<std::string> axes;  ///< NAME=N
  EvalOptions options;

  void add_to(CLI::App& command);
  bool given() const { return !data.empty() || !labels.empty(); }
  /// Throws CLI::ValidationError if one of --data and --labels stands alone, or an axis is none.
  void parse() const;
  Result<Dataset> load() const;
  /// Items of other files, for the same inputs and with the same axes.
  Result<std::vector<InputData>> load_items(const std::vector<std::string>& files) const;
  std::vector<std::string> sources() const;  ///< files that load() reads
};

/// The file that [NAME=]FILE means.
std::string data_file(const std::string& text);

/// Inputs without labels: --input NAME=FILE, or random ones.
struct InputFlags {
  std::vector<std::string> files;
  ShapeFlags shapes;
  std::optional<std::uint64_t> seed;

  void add_to(CLI::App& command);
  /// Throws CLI::ValidationError.
  void parse() const;
  /// The inputs, and a line that says where they came from. Free dimensions of random ones get
  /// sizes with which `trial` runs; layers of `quantized` suggest some.
  Result<std::vector<NamedTensor>> load(const Contender& trial, const Session& quantized,
                                        std::string* note) const;
  std::vector<std::string> sources(const Session& session) const;  ///< files that load() reads
};

/// --seconds: how long each row is timed.
void add_seconds_option(CLI::App& command, TimingOptions& timing);

/// What elements of results[] have in common.
nlohmann::json row_json(const Contender& contender, const std::string& metric, double value,
                        const Cost& cost);
/// Cells of a table's row: weights, activations, `values`, latency, speed-up, weight bytes.
std::vector<std::string> table_row(const Contender& contender,
                                   const std::vector<std::string>& values, const Cost& cost);

/// One element of results[] of eval; see docs/command-line.md.
nlohmann::json eval_row_json(const Contender& contender, const Evaluation& evaluation,
                             std::size_t row);
std::string eval_table(const Networks& nets, const Evaluation& evaluation);

/// The same for compare.
nlohmann::json compare_row_json(const Contender& contender, const CompareRow& row);
std::string compare_table(const Networks& nets, const std::vector<CompareRow>& rows);

/// "float side: PATH" or what stands in for it; and that it runs elsewhere, if it does.
std::string float_side_line(const Networks& nets);

}  // namespace pbatch::cli
