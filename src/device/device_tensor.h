// A tensor in the memory of a device.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "pbatch/tensor.h"

namespace pbatch {

/// Row-major and contiguous, like a Tensor. What data() points to is the device's and not for the
/// host to read.
class DeviceTensor {
 public:
  DeviceTensor() = default;
  /// A view of device memory that `owner` keeps.
  DeviceTensor(DType type, Shape shape, void* memory, std::shared_ptr<const void> owner)
      : view_(Tensor::view(type, std::move(shape), memory, std::move(owner))) {}

  DType dtype() const { return view_.dtype(); }
  const Shape& shape() const { return view_.shape(); }
  std::int64_t size() const { return view_.size(); }
  std::int64_t bytes() const { return static_cast<std::int64_t>(view_.bytes()); }
  template <class T>
  T* data() const {
    return static_cast<T*>(const_cast<void*>(view_.raw()));
  }

  /// The same elements under another shape of equal size.
  DeviceTensor reshaped(Shape shape) const {
    return DeviceTensor(view_.reshaped(std::move(shape)));
  }

  /// For code that looks at types and shapes and computes addresses, and reads nothing.
  const Tensor& as_host_view() const { return view_; }
  explicit DeviceTensor(Tensor view) : view_(std::move(view)) {}

 private:
  Tensor view_;
};

}  // namespace pbatch
