#include "graph/known_attributes.h"

#include <map>
#include <set>
#include <sstream>
#include <string>

#include "graph/float64_casts.h"

namespace pbatch {
namespace {

std::map<std::string, std::set<std::string>> read_known_attributes() {
  const struct {
    const char *op_type, *attributes;
  } lines[] = {
#define PBATCH_ATTRIBUTES(op_type, attributes) {op_type, attributes},
#include "graph/known_attributes.inc"
#undef PBATCH_ATTRIBUTES
  };
  std::map<std::string, std::set<std::string>> known;
  for (const auto& line : lines) {
    std::set<std::string>& names = known[line.op_type];
    std::istringstream words(line.attributes);
    for (std::string name; words >> name;) names.insert(name);
  }
  // What a pass writes on a node of ONNX's own.
  known["Cast"].insert(kFloat64Cast);
  known["CastLike"].insert(kFloat64Cast);
  return known;
}

}  // namespace

Status check_attributes_known(const Node& node) {
  static const std::map<std::string, std::set<std::string>> known = read_known_attributes();
  const auto of_operator = known.find(node.op_type);
  if (!node.domain.empty() || of_operator == known.end()) return Status::ok();
  for (const auto& [name, value] : node.attributes) {
    if (of_operator->second.count(name) != 0) continue;
    return Status(ErrorCode::unsupported,
                  "operator " + node.op_type + " has the attribute '" + name +
                      "', which pbatch does not know",
                  "export the network for opset 23 or earlier; if no operator has such an "
                  "attribute there, remove it");
  }
  return Status::ok();
}

}  // namespace pbatch
