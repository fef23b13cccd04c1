// Arrays of Python as tensors and back.
#pragma once

#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>

#include <string>

#include "pbatch/session.h"

namespace pbatch::python {

/// A tensor over an array's memory, or over a copy; valid as long as this object.
struct BorrowedArray {
  nanobind::ndarray<nanobind::ro> array;
  Tensor tensor;
};

/// Whatever speaks DLPack or the buffer protocol, without a copy if its elements lie in order, one
/// after another; lists and numbers become arrays of the type that `port` takes. Raises if it is
/// none of these, lies on another device than the CPU, or has elements that no network takes.
BorrowedArray borrow_array(nanobind::handle value, const PortInfo& port);

/// A numpy array, writable, over the tensor's memory; over a copy if others hold that, too.
nanobind::object to_numpy(Tensor tensor);

/// An array that the caller wants a result in.
class Destination {
 public:
  /// Raises if it is not writable, on another device, or not of the type of `port`.
  Destination(nanobind::handle value, const PortInfo& port);
  /// Raises if its shape is not that of `result`; else copies the elements, whatever their strides.
  void fill(const Tensor& result);

 private:
  nanobind::ndarray<> array_;
  std::string name_;
};

}  // namespace pbatch::python
