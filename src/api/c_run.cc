// Runs from C.
#include <cstdint>
#include <span>

#include "api/c_guard.h"
#include "api/c_precision.h"
#include "api/c_session.h"
#include "api/c_tensor.h"
#include "pbatch/pbatch.h"

namespace pbatch {
namespace {

Status run(const pbatch_session* session, std::span<const pbatch_tensor> given,
           const pbatch_precision* bits, Arithmetic arithmetic, pbatch_outputs** outputs) {
  PBATCH_ASSIGN_OR_RETURN(Precision precision, read_precision(bits));
  precision.arithmetic = arithmetic;
  PBATCH_ASSIGN_OR_RETURN(const std::vector<NamedTensor> inputs, tensors_of(given));
  PBATCH_ASSIGN_OR_RETURN(const std::vector<Tensor> results,
                          session->session.run(inputs, precision));
  PBATCH_ASSIGN_OR_RETURN(*outputs, outputs_of(session->session, results, given));
  return Status::ok();
}

pbatch_code guarded_run(const pbatch_session* session, const pbatch_tensor* inputs, size_t count,
                        const pbatch_precision* precision, Arithmetic arithmetic,
                        pbatch_outputs** outputs, pbatch_error* error) {
  return guard_c(error, [&]() -> Status {
    if (outputs == nullptr) return null_argument("outputs");
    *outputs = nullptr;
    if (session == nullptr) return null_argument("session");
    if (count > 0 && inputs == nullptr) return null_argument("inputs");
    return run(session, {inputs, count}, precision, arithmetic, outputs);
  });
}

}  // namespace
}  // namespace pbatch

using pbatch::Status;

extern "C" {

pbatch_code pbatch_run(const pbatch_session* session, const pbatch_tensor* inputs, size_t count,
                       const pbatch_precision* precision, pbatch_outputs** outputs,
                       pbatch_error* error) {
  return pbatch::guarded_run(session, inputs, count, precision, pbatch::Arithmetic::floats, outputs,
                             error);
}

pbatch_code pbatch_run_integer(const pbatch_session* session, const pbatch_tensor* inputs,
                               size_t count, const pbatch_precision* precision,
                               pbatch_outputs** outputs, pbatch_error* error) {
  return pbatch::guarded_run(session, inputs, count, precision, pbatch::Arithmetic::integers,
                             outputs, error);
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
