#include "onnx/read_tensor.h"

#include <charconv>
#include <cstdint>

namespace pbatch {
namespace {

struct Place {
  std::string location;
  std::int64_t offset = 0;
  std::int64_t length = -1;  // not given
};

Result<std::int64_t> parse_size(const std::string& text, const std::string& key,
                                const std::string& name) {
  std::int64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end || value < 0) {
    return Status(ErrorCode::malformed,
                  "external tensor '" + name + "' has the " + key + " '" + text.substr(0, 40) + "'",
                  "the file is damaged; export the model again");
  }
  return value;
}

Result<Place> read_place(const onnx::TensorProto& proto, const std::string& name) {
  Place place;
  for (const onnx::StringStringEntryProto& entry : proto.external_data()) {
    if (entry.key() == "location") {
      place.location = entry.value();
    } else if (entry.key() == "offset") {
      PBATCH_ASSIGN_OR_RETURN(place.offset, parse_size(entry.value(), "offset", name));
    } else if (entry.key() == "length") {
      PBATCH_ASSIGN_OR_RETURN(place.length, parse_size(entry.value(), "length", name));
    }
  }
  if (place.location.empty()) {
    return Status(ErrorCode::malformed, "external tensor '" + name + "' names no data file",
                  "the file is damaged; export the model again");
  }
  return place;
}

}  // namespace

Result<Tensor> read_tensor(onnx::TensorProto& proto, const std::string& name,
                           ExternalData* external) {
  PBATCH_ASSIGN_OR_RETURN(const TensorHeader header, read_tensor_header(proto, name));
  if (proto.data_location() != onnx::TensorProto::EXTERNAL) {
    Result<Tensor> tensor = read_tensor_data(proto, header, name);
    // The message would keep a second copy of every weight until import ends.
    if (proto.has_raw_data()) std::string().swap(*proto.mutable_raw_data());
    return tensor;
  }
  if (external == nullptr) {
    return Status(ErrorCode::unsupported, "tensor '" + name + "' has its data in another file",
                  "store the values inside the tensor");
  }
  PBATCH_ASSIGN_OR_RETURN(const Place place, read_place(proto, name));
  const bool narrow = header.narrow != nullptr;
  const DType stored = narrow ? DType::u8 : header.dtype;
  PBATCH_ASSIGN_OR_RETURN(
      Tensor tensor,
      external->load(name, stored,
                     narrow ? Shape{header.narrow->bytes(header.count)} : header.shape,
                     place.location, place.offset, place.length));
  if (tensor.dtype() != stored) {
    return Status(ErrorCode::internal, "external tensor '" + name + "' came as " +
                                           dtype_name(tensor.dtype()) + ", not " +
                                           dtype_name(stored));
  }
  return narrow ? widen_narrow(header, tensor.raw()) : tensor;
}

}  // namespace pbatch
