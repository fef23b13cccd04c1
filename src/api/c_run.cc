// Runs from C.
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <span>

#include "api/c_guard.h"
#include "api/c_precision.h"
#include "api/c_session.h"
#include "pbatch/pbatch.h"

namespace pbatch {
namespace {

constexpr std::size_t kMaxRank = 64;

Status bad_tensor(const char* name, const std::string& message, const char* remedy) {
  return Status(ErrorCode::invalid_argument, "input '" + std::string(name) + "' " + message,
                remedy);
}

/// A tensor over the caller's memory, or over a copy if that is not aligned for the type.
Result<Tensor> wrap(const pbatch_tensor& given) {
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

/// A result may share an input's memory (an Identity does); the caller owns that memory.
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

Status run(const pbatch_session* session, std::span<const pbatch_tensor> given,
           const pbatch_precision* bits, pbatch_outputs** outputs) {
  PBATCH_ASSIGN_OR_RETURN(const Precision precision, read_precision(bits));
  std::vector<NamedTensor> inputs;
  for (const pbatch_tensor& tensor : given) {
    PBATCH_ASSIGN_OR_RETURN(Tensor wrapped, wrap(tensor));
    inputs.push_back({tensor.name, std::move(wrapped)});
  }
  PBATCH_ASSIGN_OR_RETURN(const std::vector<Tensor> results,
                          session->session.run(inputs, precision));
  auto made = std::make_unique<pbatch_outputs>();
  for (std::size_t i = 0; i < results.size(); ++i) {
    PBATCH_ASSIGN_OR_RETURN(Tensor own, detach(results[i], given));
    made->names.push_back(session->session.outputs()[i].name);
    made->tensors.push_back(std::move(own));
  }
  *outputs = made.release();
  return Status::ok();
}

}  // namespace
}  // namespace pbatch

using pbatch::Status;

extern "C" {

pbatch_code pbatch_run(const pbatch_session* session, const pbatch_tensor* inputs, size_t count,
                       const pbatch_precision* precision, pbatch_outputs** outputs,
                       pbatch_error* error) {
  return pbatch::guard_c(error, [&]() -> Status {
    if (outputs == nullptr) return pbatch::null_argument("outputs");
    *outputs = nullptr;
    if (session == nullptr) return pbatch::null_argument("session");
    if (count > 0 && inputs == nullptr) return pbatch::null_argument("inputs");
    return pbatch::run(session, {inputs, count}, precision, outputs);
  });
}

size_t pbatch_outputs_count(const pbatch_outputs* outputs) {
  return outputs == nullptr ? 0 : outputs->tensors.size();
}

pbatch_code pbatch_outputs_get(const pbatch_outputs* outputs, size_t index, pbatch_tensor* tensor,
                               pbatch_error* error) {
  return pbatch::guard_c(error, [&]() -> Status {
    if (outputs == nullptr) return pbatch::null_argument("outputs");
    if (tensor == nullptr) return pbatch::null_argument("tensor");
    if (index >= outputs->tensors.size()) {
      return {pbatch::ErrorCode::invalid_argument,
              "there is no output of index " + std::to_string(index),
              "ask pbatch_outputs_count first"};
    }
    const pbatch::Tensor& t = outputs->tensors[index];
    *tensor = {outputs->names[index].c_str(),
               static_cast<pbatch_dtype>(t.dtype()),
               t.rank(),
               t.shape().data(),
               t.raw(),
               t.bytes()};
    return Status::ok();
  });
}

void pbatch_outputs_free(pbatch_outputs* outputs) { delete outputs; }

}  // extern "C"
