#include "attributes.h"

#include <utility>
#include <vector>

#include "guard.h"

namespace pbatch::ort {
namespace {

template <class T>
Result<Attribute> read_one(const Ort::ConstOpAttr& attribute) {
  T value{};
  PBATCH_RETURN_IF_ERROR(from_ort_status(attribute.GetValue(value)));
  return Attribute(std::move(value));
}

template <class T>
Result<Attribute> read_list(const Ort::ConstOpAttr& attribute) {
  std::vector<T> values;
  PBATCH_RETURN_IF_ERROR(from_ort_status(attribute.GetValueArray(values)));
  return Attribute(std::move(values));
}

Result<Attribute> read_attribute(const Ort::ConstOpAttr& attribute, const std::string& name) {
  switch (attribute.GetType()) {
    case ORT_OP_ATTR_INT:
      return read_one<std::int64_t>(attribute);
    case ORT_OP_ATTR_FLOAT:
      return read_one<float>(attribute);
    case ORT_OP_ATTR_STRING:
      return read_one<std::string>(attribute);
    case ORT_OP_ATTR_INTS:
      return read_list<std::int64_t>(attribute);
    case ORT_OP_ATTR_FLOATS:
      return read_list<float>(attribute);
    case ORT_OP_ATTR_STRINGS:
      return read_list<std::string>(attribute);
    default:
      return Status(ErrorCode::unsupported, "attribute '" + name + "' is of a kind not read here",
                    "exclude the node");
  }
}

}  // namespace

Result<std::map<std::string, Attribute>> read_attributes(const Ort::ConstNode& node) {
  std::map<std::string, Attribute> attributes;
  for (const Ort::ConstOpAttr& attribute : node.GetAttributes()) {
    const std::string name = attribute.GetName();
    PBATCH_ASSIGN_OR_RETURN(attributes[name], read_attribute(attribute, name));
  }
  return attributes;
}

}  // namespace pbatch::ort
