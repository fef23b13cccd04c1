#include "onnx/read_attribute.h"

#include <string>
#include <vector>

#include "onnx/read_tensor.h"

namespace pbatch {
namespace {

using Proto = onnx::AttributeProto;

// Files of IR version 1 carry no type; the field that is there tells it.
Proto::AttributeType type_of(const Proto& proto) {
  if (proto.has_type() && proto.type() != Proto::UNDEFINED) return proto.type();
  if (proto.has_f()) return Proto::FLOAT;
  if (proto.has_i()) return Proto::INT;
  if (proto.has_s()) return Proto::STRING;
  if (proto.has_t()) return Proto::TENSOR;
  if (proto.has_g()) return Proto::GRAPH;
  if (proto.floats_size() != 0) return Proto::FLOATS;
  if (proto.ints_size() != 0) return Proto::INTS;
  if (proto.strings_size() != 0) return Proto::STRINGS;
  if (proto.graphs_size() != 0) return Proto::GRAPHS;
  return Proto::UNDEFINED;
}

Status unsupported(const Proto& proto, const std::string& what, const std::string& remedy) {
  return Status(ErrorCode::unsupported, "attribute '" + proto.name() + "' is " + what, remedy);
}

}  // namespace

bool is_subgraph(const Proto& proto) { return type_of(proto) == Proto::GRAPH && proto.has_g(); }

Result<Attribute> read_attribute(onnx::AttributeProto& proto, ExternalData* external) {
  if (!proto.ref_attr_name().empty()) {
    return Status(ErrorCode::malformed,
                  "attribute '" + proto.name() + "' refers to one of a function, outside of any",
                  "the file is damaged; export the model again");
  }
  switch (type_of(proto)) {
    case Proto::FLOAT:
      return Attribute(proto.f());
    case Proto::INT:
      return Attribute(std::int64_t{proto.i()});
    case Proto::STRING:
      return Attribute(proto.s());
    case Proto::FLOATS:
      return Attribute(std::vector<float>(proto.floats().begin(), proto.floats().end()));
    case Proto::INTS:
      return Attribute(std::vector<std::int64_t>(proto.ints().begin(), proto.ints().end()));
    case Proto::STRINGS:
      return Attribute(std::vector<std::string>(proto.strings().begin(), proto.strings().end()));
    case Proto::TENSOR: {
      if (!proto.has_t()) break;
      PBATCH_ASSIGN_OR_RETURN(Tensor tensor,
                              read_tensor(*proto.mutable_t(), proto.name(), external));
      return Attribute(std::move(tensor));
    }
    case Proto::GRAPHS:
      return unsupported(proto, "a list of subgraphs", "export the model without the node");
    case Proto::SPARSE_TENSOR:
    case Proto::SPARSE_TENSORS:
      return unsupported(proto, "a sparse tensor", "export it as a dense tensor");
    case Proto::TENSORS:
      return unsupported(proto, "a list of tensors", "remove the node");
    case Proto::TYPE_PROTO:
    case Proto::TYPE_PROTOS:
      return unsupported(proto, "a type", "remove the node");
    case Proto::GRAPH:
    case Proto::UNDEFINED:
      break;
  }
  return Status(ErrorCode::malformed, "attribute '" + proto.name() + "' has no value",
                "the file is damaged; export the model again");
}

}  // namespace pbatch
