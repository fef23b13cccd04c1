#include "guard.h"

#include <string>

namespace pbatch::ort {
namespace {

OrtErrorCode ort_code(ErrorCode code) {
  switch (code) {
    case ErrorCode::ok:
      return ORT_OK;
    case ErrorCode::not_found:
    case ErrorCode::io:
      return ORT_NO_SUCHFILE;
    case ErrorCode::unsupported:
      return ORT_NOT_IMPLEMENTED;
    case ErrorCode::malformed:
      return ORT_INVALID_GRAPH;
    case ErrorCode::invalid_argument:
    case ErrorCode::shape_mismatch:
    case ErrorCode::precision_unavailable:
    case ErrorCode::not_finite:
      return ORT_INVALID_ARGUMENT;
    case ErrorCode::out_of_memory:
    case ErrorCode::internal:
      return ORT_FAIL;
  }
  return ORT_FAIL;
}

}  // namespace

OrtStatus* to_ort_status(const Status& status) noexcept {
  if (status.is_ok()) return nullptr;
  try {
    return Ort::GetApi().CreateStatus(ort_code(status.code()),
                                      ("pbatch: " + status.to_line()).c_str());
  } catch (const std::exception&) {
    return Ort::GetApi().CreateStatus(ORT_FAIL, "pbatch: not enough memory");
  }
}

Status from_ort_status(const Ort::Status& status) {
  if (status.IsOK()) return Status::ok();
  return {ErrorCode::internal, status.GetErrorMessage()};
}

}  // namespace pbatch::ort
