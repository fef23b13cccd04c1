// The times of a run's steps: a table, JSON, and a trace.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "pbatch/session.h"

namespace pbatch::cli {

/// One line a step, its share of the whole, and a line for all.
std::string profile_table(const std::vector<StepTime>& steps);
nlohmann::json profile_json(const std::vector<StepTime>& steps);
/// The Trace Event Format that Perfetto and Chrome read: every step one after the other.
std::string profile_trace(const std::vector<StepTime>& steps);

}  // namespace pbatch::cli
