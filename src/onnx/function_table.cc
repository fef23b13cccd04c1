#include "onnx/function_table.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include <utility>

#include "onnx/domain.h"

namespace pbatch {
namespace {

// Fields that ONNX's schema has since 1.13 and 1.16; that of the system may be older.
constexpr int kFunctionDefaults = 11, kFunctionOverload = 13, kNodeOverload = 8;

// The contents of a field, whether the schema that we are built with knows it or not.
std::vector<std::string> contents_of(const google::protobuf::MessageLite& message, int field) {
  using WireFormat = google::protobuf::internal::WireFormatLite;
  const std::string bytes = message.SerializeAsString();
  google::protobuf::io::CodedInputStream stream(reinterpret_cast<const std::uint8_t*>(bytes.data()),
                                                static_cast<int>(bytes.size()));
  std::vector<std::string> contents;
  while (const std::uint32_t tag = stream.ReadTag()) {
    const bool holds_bytes =
        WireFormat::GetTagWireType(tag) == WireFormat::WIRETYPE_LENGTH_DELIMITED;
    if (!holds_bytes || WireFormat::GetTagFieldNumber(tag) != field) {
      if (!WireFormat::SkipField(&stream, tag)) break;
      continue;
    }
    std::uint32_t size = 0;
    if (!stream.ReadVarint32(&size) ||
        !stream.ReadString(&contents.emplace_back(), static_cast<int>(size))) {
      break;
    }
  }
  return contents;
}

std::string text_of(const google::protobuf::MessageLite& message, int field) {
  const std::vector<std::string> contents = contents_of(message, field);
  return contents.empty() ? std::string() : contents.back();
}

}  // namespace

Result<FunctionTable> FunctionTable::of(const onnx::ModelProto& model) {
  FunctionTable table;
  for (const onnx::FunctionProto& proto : model.functions()) {
    ModelFunction function;
    function.proto = &proto;
    for (const std::string& bytes : contents_of(proto, kFunctionDefaults)) {
      if (!function.defaults.emplace_back().ParseFromString(bytes)) function.defaults.pop_back();
    }
    const auto [it, added] =
        table.functions_.emplace(std::tuple(canonical_domain(proto.domain()), proto.name(),
                                            text_of(proto, kFunctionOverload)),
                                 std::move(function));
    if (!added) {
      return Status(ErrorCode::malformed,
                    "the model defines function '" + proto.name() + "' of domain '" +
                        proto.domain() + "' twice",
                    "the file is damaged; export the model again");
    }
  }
  return table;
}

ModelFunction* FunctionTable::find(const onnx::NodeProto& node) {
  // Most nodes call none, and only the name of one that does is worth a look at its overload.
  const std::string domain = canonical_domain(node.domain());
  const auto first = functions_.lower_bound({domain, node.op_type(), {}});
  if (first == functions_.end() || std::get<0>(first->first) != domain ||
      std::get<1>(first->first) != node.op_type()) {
    return nullptr;
  }
  const auto it = functions_.find({domain, node.op_type(), text_of(node, kNodeOverload)});
  return it == functions_.end() ? nullptr : &it->second;
}

}  // namespace pbatch
