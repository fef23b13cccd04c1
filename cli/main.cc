// The program `pbatch`: exit code 0, 1 for a failed run, 2 for wrong usage.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include "cli/command.h"
#include "tools/bench/openblas_core.h"

namespace pbatch::cli {
namespace {

// Every failure is one line, also where a message has several.
int fail(int code, std::string line) {
  for (char& c : line) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  while (!line.empty() && line.back() == ' ') line.pop_back();
  std::fprintf(stderr, "pbatch: %s\n", line.c_str());
  return code;
}

// The float side must be as fast as it can be: starts the program anew where
// OpenBLAS does not know this CPU. Goes on as it is if that cannot be done.
void restart_with_better_openblas(char** argv) {
  const char* core = better_openblas_core();
  if (core == nullptr || setenv("OPENBLAS_CORETYPE", core, 1) != 0) return;
  execv("/proc/self/exe", argv);
}

// The Python package's command line has the command itself.
void add_serve(CLI::App& app, Work& work) {
  CLI::App* sub = app.add_subcommand("serve", "Serves models on Ray (the Python package)");
  sub->prefix_command();
  sub->callback([&work] {
    work = [] {
      return Status(ErrorCode::unsupported, "serve is a command of the Python package",
                    "pip install 'precisionbatching[serve]' and run its pbatch");
    };
  });
}

int run(int argc, char** argv) {
  set_command_line(argc, argv);
  CLI::App app{"Runs neural networks stored as bit-layers: one model file, every precision"};
  app.name("pbatch");
  app.set_version_flag("--version", "pbatch " PBATCH_VERSION);
  app.require_subcommand(1);
  Work work;
  for (const auto add : {add_quantize, add_inspect, add_run, add_eval, add_compare, add_sweep,
                         add_allocate, add_bench, add_plan, add_export_c, add_serve}) {
    add(app, work);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {  // --help, --version
    app.exit(asked);
    return std::fflush(stdout) == 0 ? 0 : fail(1, "cannot write to the standard output");
  } catch (const CLI::ParseError& error) {
    if (app.get_subcommands().empty() && argc > 1 && argv[1][0] != '-') {
      return fail(2, std::string("there is no command '") + argv[1] +
                         "'; 'pbatch --help' lists the commands");
    }
    return fail(2, std::string(error.what()) + "; 'pbatch --help' tells the usage");
  }
  const Status status = work();
  if (status) return 0;
  const CLI::Option* json = app.get_subcommands().front()->get_option_no_throw("--json");
  if (json != nullptr && json->count() > 0 && json->as<std::string>() == "-") {
    const std::string text = json_text(error_json(status));
    std::fwrite(text.data(), 1, text.size(), stdout);
  }
  return fail(1, status.to_line());
}

}  // namespace
}  // namespace pbatch::cli

int main(int argc, char** argv) {
  pbatch::cli::restart_with_better_openblas(argv);
  try {
    return pbatch::cli::run(argc, argv);
  } catch (const std::bad_alloc&) {
    return pbatch::cli::fail(1, "memory ran out; free some, or take a smaller batch");
  } catch (const std::exception& error) {
    return pbatch::cli::fail(1, std::string("internal error: ") + error.what());
  }
}
