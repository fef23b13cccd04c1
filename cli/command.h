// A command of the program: options first, work later.
#pragma once

#include <functional>
#include <string>

#include "cli/json.h"
#include "cli/options.h"
#include "cli/output.h"
#include "pbatch/status.h"

namespace pbatch::cli {

/// What main does after the command line has been read; set by the command it names.
using Work = std::function<Status()>;

/// Each adds its command and options to the program. Options that are wrong by
/// themselves throw CLI::ValidationError, which main turns into exit code 2.
void add_quantize(CLI::App& app, Work& work);
void add_inspect(CLI::App& app, Work& work);
void add_run(CLI::App& app, Work& work);
void add_eval(CLI::App& app, Work& work);
void add_compare(CLI::App& app, Work& work);
void add_sweep(CLI::App& app, Work& work);
void add_allocate(CLI::App& app, Work& work);
void add_bench(CLI::App& app, Work& work);
void add_plan(CLI::App& app, Work& work);
void add_export_c(CLI::App& app, Work& work);

/// Options that several commands share.
void add_json_option(CLI::App& command, OutputOptions& output);

}  // namespace pbatch::cli
