// The JSON that commands write: nlohmann/json, which no other file of the command line includes.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

extern template class nlohmann::basic_json<>;  // compiled once, in json.cc

namespace pbatch::cli {

/// The text of a file, `indent` spaces a level, with a line end; bytes that are no UTF-8 (names out
/// of files) become U+FFFD.
std::string json_text(const nlohmann::json& json, int indent = 2);

}  // namespace pbatch::cli
