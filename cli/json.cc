#include "cli/json.h"

template class nlohmann::basic_json<>;

namespace pbatch::cli {

std::string json_text(const nlohmann::json& json, int indent) {
  return json.dump(indent, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace pbatch::cli
