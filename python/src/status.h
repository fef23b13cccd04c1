// Errors of the library as Python exceptions.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include <string>
#include <utility>

#include "pbatch/status.h"

namespace pbatch::python {

/// Raises the class of `status.code()` in pbatch.errors. Precondition: not ok, the GIL is held.
[[noreturn]] void raise(const Status& status);

inline void check(const Status& status) {
  if (!status) raise(status);
}

/// The value, or its error raised.
template <class T>
T take(Result<T>&& result) {
  if (!result) raise(result.status());
  return std::move(result).value();
}

[[noreturn]] void raise_invalid(const std::string& message, const std::string& remedy);

}  // namespace pbatch::python
