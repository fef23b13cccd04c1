#include <utility>

#include "graph/graph.h"

namespace pbatch {
namespace {

template <class T>
Result<T> typed_attr(const Node& node, const std::string& name, T fallback, const char* wanted) {
  const auto it = node.attributes.find(name);
  if (it == node.attributes.end()) return fallback;
  if (const T* value = std::get_if<T>(&it->second)) return *value;
  return Status(ErrorCode::malformed,
                "attribute '" + name + "' of " + node.op_type + " is not " + wanted,
                "the exporter wrote an invalid node; export the model again")
      .at_node(node.name);
}

}  // namespace

Result<std::int64_t> Node::int_attr(const std::string& attr, std::int64_t fallback) const {
  return typed_attr(*this, attr, fallback, "an integer");
}

Result<float> Node::float_attr(const std::string& attr, float fallback) const {
  return typed_attr(*this, attr, fallback, "a float");
}

Result<std::string> Node::string_attr(const std::string& attr, const std::string& fallback) const {
  return typed_attr(*this, attr, fallback, "a string");
}

Result<std::vector<std::int64_t>> Node::ints_attr(const std::string& attr,
                                                  std::vector<std::int64_t> fallback) const {
  return typed_attr(*this, attr, std::move(fallback), "a list of integers");
}

}  // namespace pbatch
