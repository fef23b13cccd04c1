// Runs from C.
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <span>

#include "api/c_guard.h"
#include "api/c_precision.h"
#include "api/c_session.h"
#include "api/c_tensor.h"
#include "pbatch/pbatch.h"

namespace pbatch {
namespace {

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
    PBATCH_ASSIGN_OR_RETURN(Tensor wrapped, tensor_of(tensor));
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
