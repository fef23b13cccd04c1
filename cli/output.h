// What a command leaves: a table on the standard output, files, JSON.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cli/json.h"
#include "pbatch/status.h"
#include "tools/bench/machine.h"

namespace pbatch::cli {

struct OutputOptions {
  std::string json;  ///< file, "-" for the standard output, empty for none
};

/// Whether `files` and the JSON file could be written, are different files, and none of `sources`,
/// which the command reads: called before long work.
Status check_output_files(const OutputOptions& options, std::vector<std::string> files,
                          const std::vector<std::string>& sources);

/// Writes `files` (path, bytes) and the JSON file, all or none, and then the
/// text; where JSON goes to the standard output the text is left out.
Status deliver(const OutputOptions& options, const std::string& text, const nlohmann::json& json,
               const std::vector<std::pair<std::string, std::string>>& files = {});

/// An error as JSON: code, message, remedy, file, node.
nlohmann::json error_json(const Status& status);

/// The keys that every JSON file carries: version, command, cpu, isa, threads, date.
nlohmann::json json_head(const RunConditions& conditions);
/// The same as a line under a table.
std::string conditions_line(const RunConditions& conditions);

/// The command line as typed, set once by main.
void set_command_line(int argc, char** argv);
Result<RunConditions> conditions_here(int threads);

}  // namespace pbatch::cli
