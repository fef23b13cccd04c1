// JSON from a file that nobody vouches for.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "pbatch/status.h"

namespace pbatch {

/// The JSON object that `text` is. An error, whose message is only what is wrong with it ("is
/// nested too deeply"), for what is none, for objects and lists more than four deep (functions on a
/// value call themselves once for each level), and where a name stands twice in an object.
/// Thread-safe.
Result<nlohmann::json> parse_json_object(std::string_view text);

}  // namespace pbatch
