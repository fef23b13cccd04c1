#include <exception>

#include "format/json.h"
#include "format/safetensors.h"

namespace pbatch {
namespace {

const char* type_code(DType type) {
  switch (type) {
    case DType::f32:
      return "F32";
    case DType::f64:
      return "F64";
    case DType::f16:
      return "F16";
    case DType::bf16:
      return "BF16";
    case DType::i8:
      return "I8";
    case DType::u8:
      return "U8";
    case DType::i16:
      return "I16";
    case DType::u16:
      return "U16";
    case DType::i32:
      return "I32";
    case DType::u32:
      return "U32";
    case DType::i64:
      return "I64";
    case DType::u64:
      return "U64";
    case DType::boolean:
      return "BOOL";
  }
  return "U8";
}

}  // namespace

void SafetensorsWriter::add(std::string name, DType dtype, Shape shape,
                            std::span<const std::uint8_t> data) {
  tensors_.push_back({std::move(name), dtype, std::move(shape), data, size_});
  size_ += static_cast<std::int64_t>(data.size());
}

Result<std::string> SafetensorsWriter::header() const {
  std::string json;
  try {
    nlohmann::ordered_json root;
    root["__metadata__"] = metadata_;
    for (const Tensor& t : tensors_) {
      if (root.contains(t.name)) {
        return Status(ErrorCode::internal, "two tensors are named '" + t.name + "'");
      }
      root[t.name] = {
          {"dtype", type_code(t.dtype)},
          {"shape", t.shape},
          {"data_offsets", {t.begin, t.begin + static_cast<std::int64_t>(t.data.size())}}};
    }
    json = root.dump();
  } catch (const std::exception&) {  // a name that is not UTF-8, or no memory
    return Status(ErrorCode::malformed, "a layer's name cannot be written as JSON",
                  "rename the nodes with plain text and export again");
  }
  json.append((64 - (8 + json.size()) % 64) % 64, ' ');
  std::string header(8, '\0');
  for (int i = 0; i < 8; ++i) {
    header[static_cast<std::size_t>(i)] = static_cast<char>(json.size() >> (8 * i) & 0xff);
  }
  return header + json;
}

}  // namespace pbatch
