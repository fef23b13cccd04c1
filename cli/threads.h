// How many threads, and where: --threads and --cpus.
#pragma once

#include <string>
#include <vector>

#include "cli/options.h"
#include "pbatch/session.h"
#include "pbatch/status.h"

namespace pbatch::cli {

CLI::Option* add_cpus_option(CLI::App& command, std::string& text);

/// Of commands that run with one number of threads.
struct ThreadFlags {
  void add_to(CLI::App& command);
  /// Throws CLI::ValidationError.
  void parse();
  /// Confines the process to the CPUs that are named, if any; the number of threads.
  Result<int> settle() const;
  /// The same, and one pool for all sessions of the command.
  Result<SessionOptions> session_options() const;

 private:
  int threads_ = 0;
  std::string cpus_text_;
  CLI::Option* cpus_option_ = nullptr;
  std::vector<int> cpus_;
};

}  // namespace pbatch::cli
