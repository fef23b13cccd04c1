#include "api/c_tensor.h"

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include "api/c_guard.h"

namespace pbatch {
namespace {

constexpr std::size_t kMaxRank = 64;

Status bad_tensor(const char* name, const std::string& message, const char* remedy) {
  return Status(ErrorCode::invalid_argument, "input '" + std::string(name) + "' " + message,
                remedy);
}

}  // namespace

Result<Tensor> tensor_of(const pbatch_tensor& given) {
  if (given.name == nullptr) return null_argument("the name of an input");
  if (given.dtype < PBATCH_F32 || given.dtype > PBATCH_BOOL) {
    return bad_tensor(given.name, "has an element type that does not exist",
                      "use a value of pbatch_dtype");
  }
  if (given.rank > kMaxRank || (given.rank > 0 && given.shape == nullptr)) {
    return bad_tensor(given.name, "has no usable shape", "pass 'rank' dimensions in 'shape'");
  }
  const auto type = static_cast<DType>(given.dtype);
  Shape shape(given.shape, given.shape + given.rank);
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t count, checked_element_count(shape, dtype_size(type)));
  const std::size_t bytes = static_cast<std::size_t>(count) * dtype_size(type);
  if (bytes != given.bytes || (bytes > 0 && given.data == nullptr)) {
    return bad_tensor(given.name,
                      "has " + std::to_string(given.data == nullptr ? 0 : given.bytes) +
                          " bytes of data; its shape " + shape_to_string(shape) + " needs " +
                          std::to_string(bytes),
                      "make 'bytes' and 'data' fit the shape and element type");
  }
  const auto address = reinterpret_cast<std::uintptr_t>(given.data);
  if (bytes > 0 && address % dtype_size(type) == 0) {
    return Tensor::view(type, std::move(shape), given.data, nullptr);
  }
  PBATCH_ASSIGN_OR_RETURN(Tensor copy, Tensor::create(type, std::move(shape)));
  if (bytes > 0) std::memcpy(copy.mutable_raw(), given.data, bytes);
  return copy;
}

}  // namespace pbatch
