#include "format/json.h"

#include <exception>
#include <set>
#include <string>
#include <vector>

namespace pbatch {
namespace {

using nlohmann::json;

constexpr int kDeepestJson = 4;

Status bad_json(const char* what) {
  return {ErrorCode::malformed, what, "the file is damaged or is something else"};
}

}  // namespace

Result<json> parse_json_object(std::string_view text) {
  bool doubled = false, deep = false;
  std::vector<std::set<std::string>> names;
  const auto watch = [&](int depth, json::parse_event_t event, json& parsed) {
    if (depth > kDeepestJson) {
      deep = true;
      return false;
    }
    const auto level = static_cast<std::size_t>(depth);
    if (event == json::parse_event_t::object_start) {
      names.resize(level + 2);
      names[level + 1].clear();
    } else if (event == json::parse_event_t::key && level < names.size()) {
      doubled = doubled || !names[level].insert(parsed.get<std::string>()).second;
    }
    return true;
  };
  try {
    json root = json::parse(text.begin(), text.end(), watch, /*allow_exceptions=*/false);
    if (deep) return bad_json("is nested too deeply");
    if (doubled) return bad_json("has a name twice");
    if (root.is_discarded() || !root.is_object()) return bad_json("is not a JSON object");
    return root;
  } catch (const std::exception&) {
    return bad_json("cannot be read");
  }
}

}  // namespace pbatch
