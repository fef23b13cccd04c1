// The times of a run's steps: a table, JSON, and a trace.
#pragma once

#include <string>
#include <vector>

#include "cli/json.h"
#include "pbatch/session.h"
#include "tools/bench/run_ceilings.h"

namespace pbatch::cli {

/// One line a step, its shares of the whole and of what the machine does at most, and a line for
/// all.
std::string profile_table(const std::vector<StepTime>& steps, const RunCeilings& ceilings);
nlohmann::json profile_json(const std::vector<StepTime>& steps, const RunCeilings& ceilings);
/// "steps" apart.
nlohmann::json ceilings_json(const RunCeilings& ceilings);
/// The Trace Event Format that Perfetto and Chrome read: every step one after the other.
std::string profile_trace(const std::vector<StepTime>& steps);

}  // namespace pbatch::cli
