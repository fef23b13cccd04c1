#include "onnx/tensor_proto.h"

#include <bit>
#include <cstring>
#include <optional>
#include <type_traits>
#include <utility>

#include "graph/onnx_dtype.h"

namespace pbatch {
namespace {

static_assert(std::endian::native == std::endian::little, "raw_data is little-endian");

// No operator has a use for more; keeps per-dimension loops short on hostile files.
constexpr int kMaxRank = 64;

const char* const kDamagedTensor = "the file is damaged; export the model again";

Status malformed_tensor(const std::string& name, const std::string& what) {
  return Status(ErrorCode::malformed, "tensor '" + name + "' " + what, kDamagedTensor);
}

Status wrong_count(const std::string& name, const TensorHeader& header, std::size_t values) {
  return malformed_tensor(name, "of shape " + shape_to_string(header.shape) + " holds " +
                                    std::to_string(values) + " values, not " +
                                    std::to_string(header.count));
}

template <class Stored, class Field>
Result<Tensor> from_field(const Field& field, const TensorHeader& header, const std::string& name) {
  if (static_cast<std::int64_t>(field.size()) != header.count) {
    return wrong_count(name, header, static_cast<std::size_t>(field.size()));
  }
  PBATCH_ASSIGN_OR_RETURN(Tensor tensor, Tensor::create(header.dtype, header.shape));
  auto* out = tensor.mutable_data<Stored>();
  for (const auto value : field) {
    if constexpr (std::is_integral_v<Stored>) {
      if (!std::in_range<Stored>(value)) {
        return malformed_tensor(name, "holds " + std::to_string(value) + ", out of the range of " +
                                          std::string(dtype_name(header.dtype)));
      }
    }
    *out++ = static_cast<Stored>(value);
  }
  return tensor;
}

// Which typed field carries a type is fixed by onnx.proto.
Result<Tensor> from_typed_fields(const onnx::TensorProto& proto, const TensorHeader& header,
                                 const std::string& name) {
  switch (header.dtype) {
    case DType::f32:
      return from_field<float>(proto.float_data(), header, name);
    case DType::f64:
      return from_field<double>(proto.double_data(), header, name);
    case DType::f16:
    case DType::bf16:
    case DType::u16:
      return from_field<std::uint16_t>(proto.int32_data(), header, name);
    case DType::i16:
      return from_field<std::int16_t>(proto.int32_data(), header, name);
    case DType::i8:
      return from_field<std::int8_t>(proto.int32_data(), header, name);
    case DType::u8:
    case DType::boolean:
      return from_field<std::uint8_t>(proto.int32_data(), header, name);
    case DType::i32:
      return from_field<std::int32_t>(proto.int32_data(), header, name);
    case DType::i64:
      return from_field<std::int64_t>(proto.int64_data(), header, name);
    case DType::u32:
      return from_field<std::uint32_t>(proto.uint64_data(), header, name);
    case DType::u64:
      return from_field<std::uint64_t>(proto.uint64_data(), header, name);
  }
  return malformed_tensor(name, "has no element type");
}

// Every element of the field is a byte.
Result<Tensor> narrow_from_field(const onnx::TensorProto& proto, const TensorHeader& header,
                                 const std::string& name) {
  if (proto.int32_data_size() != header.narrow->bytes(header.count)) {
    return wrong_count(name, header, static_cast<std::size_t>(proto.int32_data_size()));
  }
  std::string bytes;
  for (const std::int32_t value : proto.int32_data()) {
    // Some writers extend the sign.
    if (value < -128 || value > 255) {
      return malformed_tensor(name, "holds " + std::to_string(value) + ", which is no byte");
    }
    bytes.push_back(static_cast<char>(value));
  }
  return widen_narrow(header, bytes.data());
}

Result<Tensor> from_raw_data(const onnx::TensorProto& proto, const TensorHeader& header,
                             const std::string& name) {
  const std::string& raw = proto.raw_data();
  const std::size_t wanted =
      header.narrow != nullptr ? static_cast<std::size_t>(header.narrow->bytes(header.count))
                               : static_cast<std::size_t>(header.count) * dtype_size(header.dtype);
  if (raw.size() != wanted) {
    return malformed_tensor(name, "of shape " + shape_to_string(header.shape) + " holds " +
                                      std::to_string(raw.size()) + " bytes, not " +
                                      std::to_string(wanted));
  }
  if (header.narrow != nullptr) return widen_narrow(header, raw.data());
  PBATCH_ASSIGN_OR_RETURN(Tensor tensor, Tensor::create(header.dtype, header.shape));
  if (wanted != 0) std::memcpy(tensor.mutable_raw(), raw.data(), wanted);
  return tensor;
}

}  // namespace

Result<TensorHeader> read_tensor_header(const onnx::TensorProto& proto, const std::string& name) {
  if (!proto.has_data_type() || proto.data_type() == 0) {
    return malformed_tensor(name, "has no element type");
  }
  const NarrowType* const narrow = narrow_type(proto.data_type());
  const std::optional<DType> dtype = dtype_from_onnx(held_code(proto.data_type()));
  if (!dtype) {
    return Status(ErrorCode::unsupported,
                  "tensor '" + name + "' is of type " + onnx_type_name(proto.data_type()),
                  "pbatch reads floats of 4 to 64 bits, bool and integers of 2 to 64 bits; convert "
                  "the model to these");
  }
  if (proto.has_segment()) {
    return Status(ErrorCode::unsupported, "tensor '" + name + "' is stored in segments",
                  "save the model with whole tensors");
  }
  if (proto.dims_size() > kMaxRank) {
    return malformed_tensor(name, "has " + std::to_string(proto.dims_size()) + " dimensions");
  }
  TensorHeader header{*dtype, narrow, Shape(proto.dims().begin(), proto.dims().end())};
  const Result<std::int64_t> count = checked_element_count(header.shape, dtype_size(*dtype));
  if (!count) return malformed_tensor(name, "has an impossible shape: " + count.status().message());
  header.count = *count;
  return header;
}

Result<Tensor> read_tensor_data(const onnx::TensorProto& proto, const TensorHeader& header,
                                const std::string& name) {
  const int typed = proto.float_data_size() + proto.int32_data_size() + proto.int64_data_size() +
                    proto.double_data_size() + proto.uint64_data_size();
  if (proto.has_raw_data() && !proto.raw_data().empty() && typed != 0) {
    return malformed_tensor(name, "holds its values twice, raw and typed");
  }
  // An empty tensor may have an empty raw_data or none at all.
  const bool raw = proto.has_raw_data() && typed == 0;
  Result<Tensor> tensor = raw                        ? from_raw_data(proto, header, name)
                          : header.narrow != nullptr ? narrow_from_field(proto, header, name)
                                                     : from_typed_fields(proto, header, name);
  if (tensor && header.dtype == DType::boolean) normalize_bools(*tensor);
  return tensor;
}

Result<Tensor> widen_narrow(const TensorHeader& header, const void* bytes) {
  PBATCH_ASSIGN_OR_RETURN(Tensor tensor, Tensor::create(header.dtype, header.shape));
  decode_narrow(*header.narrow, static_cast<const std::uint8_t*>(bytes), header.count,
                tensor.mutable_raw());
  return tensor;
}

void normalize_bools(Tensor& tensor) {
  auto* bytes = tensor.mutable_data<std::uint8_t>();
  for (std::int64_t i = 0; i < tensor.size(); ++i) bytes[i] = bytes[i] != 0 ? 1 : 0;
}

void write_tensor(const Tensor& tensor, bool inline_data, onnx::TensorProto* proto) {
  proto->set_data_type(dtype_to_onnx(tensor.dtype()));
  for (const std::int64_t d : tensor.shape()) proto->add_dims(d);
  if (!inline_data) return;
  if (tensor.bytes() == 0) {
    proto->set_raw_data("");
  } else {
    proto->set_raw_data(tensor.raw(), tensor.bytes());
  }
}

}  // namespace pbatch
