#include "cli/output.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "cli/command.h"
#include "tools/io/write_files.h"
#include "tools/render/text.h"

namespace pbatch::cli {
namespace {

std::string command_line;

Status write_to_stdout(const std::string& text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (!written || std::fflush(stdout) != 0) {
    return {ErrorCode::io,
            std::string("cannot write to the standard output: ") + std::strerror(errno),
            "send it somewhere that takes it"};
  }
  return Status::ok();
}

std::string shell_word(const std::string& word) {
  const char* const plain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,+@%";
  if (!word.empty() && word.find_first_not_of(plain) == std::string::npos) return word;
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

}  // namespace

Status check_output_files(const OutputOptions& options, std::vector<std::string> files,
                          const std::vector<std::string>& sources) {
  if (options.json != "-") files.push_back(options.json);
  std::erase(files, "");
  return check_writable(files, sources);
}

Status deliver(const OutputOptions& options, const std::string& text, const nlohmann::json& json,
               const std::vector<std::pair<std::string, std::string>>& files) {
  std::vector<std::pair<std::string, std::string>> all = files;
  const std::string written = json_text(json);
  const bool to_stdout = options.json == "-";
  if (!options.json.empty() && !to_stdout) {
    all.emplace_back(options.json, written);
  }
  PBATCH_RETURN_IF_ERROR(write_files(all));
  return write_to_stdout(to_stdout ? written : text);
}

nlohmann::json error_json(const Status& status) {
  return {{"error",
           {{"code", error_code_name(status.code())},
            {"message", status.message()},
            {"remedy", status.remedy()},
            {"file", status.file()},
            {"node", status.node()}}}};
}

nlohmann::json json_head(const RunConditions& c) {
  return {{"pbatch_version", PBATCH_VERSION},
          {"command", c.command},
          {"cpu", c.cpu},
          {"cores", c.cores},
          {"isa", c.isa},
          {"threads", c.threads},
          {"date", c.date}};
}

std::string conditions_line(const RunConditions& c) {
  return printable(c.cpu) + ", " + c.isa + ", " + std::to_string(c.threads) +
         (c.threads == 1 ? " thread" : " threads") + " of " + std::to_string(c.cores) +
         " cores, pbatch " PBATCH_VERSION ", " + c.date + "\n";
}

void set_command_line(int argc, char** argv) {
  command_line = "pbatch";
  for (int i = 1; i < argc; ++i) command_line += " " + shell_word(argv[i]);
}

Result<RunConditions> conditions_here(int threads) { return run_conditions(threads, command_line); }

void add_json_option(CLI::App& command, OutputOptions& output) {
  command.add_option("--json", output.json, "Write the results as JSON; '-' for standard output")
      ->type_name("FILE");
}

}  // namespace pbatch::cli
