// What crosses the border to ONNX Runtime: its own status instead of ours, and no exception.
#pragma once

#include <exception>
#include <new>

#include "onnxruntime.h"
#include "pbatch/status.h"

namespace pbatch::ort {

/// Null for success. The message is one line that begins with "pbatch: ".
OrtStatus* to_ort_status(const Status& status) noexcept;

/// A Status for an error that ONNX Runtime reported.
Status from_ort_status(const Ort::Status& status);

/// Calls `body`, which returns a Status; ONNX Runtime's C++ interface throws.
template <class Body>
OrtStatus* guarded(Body body) noexcept {
  try {
    return to_ort_status(body());
  } catch (const Ort::Exception& e) {
    return to_ort_status(Status(ErrorCode::internal, e.what()));
  } catch (const std::bad_alloc&) {
    return to_ort_status(Status(ErrorCode::out_of_memory, "not enough memory"));
  } catch (const std::exception& e) {
    return to_ort_status(Status(ErrorCode::internal, e.what()));
  }
}

}  // namespace pbatch::ort
