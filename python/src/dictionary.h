// Dictionaries of the caller.
#pragma once

#include <nanobind/nanobind.h>

namespace pbatch::python {

/// A copy of a dictionary, to go through: reading a value can run code that changes the dictionary
/// itself, and lets other threads do so. `dictionary` must be one.
inline nanobind::dict snapshot(nanobind::handle dictionary) {
  auto copy = nanobind::steal<nanobind::dict>(PyDict_Copy(dictionary.ptr()));
  if (!copy.is_valid()) nanobind::raise_python_error();
  return copy;
}

}  // namespace pbatch::python
