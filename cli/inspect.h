// Parts of `inspect`.
#pragma once

#include <string>
#include <vector>

#include "cli/json.h"
#include "pbatch/session.h"
#include "pbatch/status.h"
#include "tools/eval/network_summary.h"

namespace pbatch::cli {

nlohmann::json ports_json(const std::vector<PortInfo>& ports);
/// A line for each: "input: x float32 [batch, 784]".
std::string ports_text(const char* kind, const std::vector<PortInfo>& ports);

/// A float network, also one that cannot run: its keys are added to `json`.
Result<std::string> describe_float(const std::string& file, const NetworkSummary& summary,
                                   nlohmann::json& json);

}  // namespace pbatch::cli
