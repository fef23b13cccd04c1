#include "api/c_tensor.h"

#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "api/c_guard.h"
#include "api/c_session.h"

namespace pbatch {
namespace {

constexpr std::size_t kMaxRank = 64;

Status bad_tensor(const char* name, const std::string& message, const char* remedy) {
  return Status(ErrorCode::invalid_argument, "input '" + std::string(name) + "' " + message,
                remedy);
}

/// The caller owns the memory of inputs, which a result may share.
Result<Tensor> detach(const Tensor& result, std::span<const pbatch_tensor> inputs) {
  const auto* start = static_cast<const std::byte*>(result.raw());
  for (const pbatch_tensor& input : inputs) {
    const auto* memory = static_cast<const std::byte*>(input.data);
    const std::less<> before;
    if (input.bytes == 0 || before(start, memory) || !before(start, memory + input.bytes)) continue;
    PBATCH_ASSIGN_OR_RETURN(Tensor copy, Tensor::create(result.dtype(), result.shape()));
    if (result.bytes() > 0) std::memcpy(copy.mutable_raw(), result.raw(), result.bytes());
    return copy;
  }
  return result;
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

Result<std::vector<NamedTensor>> tensors_of(std::span<const pbatch_tensor> given) {
  std::vector<NamedTensor> tensors;
  for (const pbatch_tensor& tensor : given) {
    PBATCH_ASSIGN_OR_RETURN(Tensor wrapped, tensor_of(tensor));
    tensors.push_back({tensor.name, std::move(wrapped)});
  }
  return tensors;
}

Result<pbatch_outputs*> outputs_of(const Session& session, std::span<const Tensor> results,
                                   std::span<const pbatch_tensor> inputs) {
  auto made = std::make_unique<pbatch_outputs>();
  for (std::size_t i = 0; i < results.size(); ++i) {
    PBATCH_ASSIGN_OR_RETURN(Tensor own, detach(results[i], inputs));
    made->names.push_back(session.outputs()[i].name);
    made->tensors.push_back(std::move(own));
  }
  return made.release();
}

}  // namespace pbatch
