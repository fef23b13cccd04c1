// What every C function does at its border: exceptions stop, statuses become codes.
#pragma once

#include <cstring>
#include <exception>
#include <new>
#include <string>
#include <utility>

#include "pbatch/pbatch.h"
#include "pbatch/status.h"

namespace pbatch {

/// Copies the status into the caller's struct, if there is one; returns its code.
pbatch_code report_to_c(const Status& status, pbatch_error* error);

/// Calls `body`, which returns a Status; nothing it throws passes.
template <class Body>
pbatch_code guard_c(pbatch_error* error, Body&& body) {
  try {
    return report_to_c(std::forward<Body>(body)(), error);
  } catch (const std::bad_alloc&) {
    return report_to_c({ErrorCode::out_of_memory, {}}, error);
  } catch (...) {
    return report_to_c({ErrorCode::internal, {}}, error);
  }
}

/// What C may have stored in an enumeration: any number.
template <class Enum>
int number_in(const Enum& value) {
  int number = 0;
  static_assert(sizeof number == sizeof value);
  std::memcpy(&number, &value, sizeof number);
  return number;
}

/// The error of a call that got a null pointer where it needs an object.
Status null_argument(const char* what);

}  // namespace pbatch
