// Dense tensors: an element type, a shape, and shared storage.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "pbatch/export.h"
#include "pbatch/status.h"

namespace pbatch {

/// Types of elements. Their numbers are those of pbatch_dtype and stay.
enum class DType : std::uint8_t {
  f32,
  f64,
  f16,
  bf16,
  i8,
  u8,
  i16,
  u16,
  i32,
  u32,
  i64,
  u64,
  boolean
};

/// Bytes of one element.
PBATCH_API std::size_t dtype_size(DType type);
/// The lower-case name, e.g. "float32", "int64", "bool".
PBATCH_API const char* dtype_name(DType type);

/// Dimensions, outermost first; a scalar has none.
using Shape = std::vector<std::int64_t>;

/// "[1, 784]".
PBATCH_API std::string shape_to_string(const Shape& shape);

/// Product of the dimensions; 1 for a scalar. invalid_argument for a negative dimension or a
/// product whose size in bytes (with `element_size`) does not fit in 2^62.
PBATCH_API Result<std::int64_t> checked_element_count(const Shape& shape, std::size_t element_size);

/// A row-major, contiguous tensor. Copies share storage; storage is 64-byte
/// aligned when the tensor owns it. Reading one tensor from many threads is
/// safe; writing needs that nobody else holds a copy.
class PBATCH_API Tensor {
 public:
  /// An empty tensor: f32, shape [0].
  Tensor() = default;

  /// Uninitialized storage of its own. Errors as of checked_element_count(); out_of_memory.
  static Result<Tensor> create(DType type, Shape shape);

  /// A view of memory that `owner` keeps alive; a null owner: the caller does, for as long as the
  /// tensor and its copies. Precondition: `data` holds the elements, aligned for the type.
  static Tensor view(DType type, Shape shape, const void* data, std::shared_ptr<const void> owner);

  /// A copy of `values`. Errors as of create(); invalid_argument if the counts differ.
  static Result<Tensor> from_floats(Shape shape, std::span<const float> values);

  DType dtype() const { return dtype_; }
  const Shape& shape() const { return size_ == 0 && shape_.empty() ? no_elements() : shape_; }
  std::size_t rank() const { return shape().size(); }
  std::int64_t dim(std::size_t i) const { return shape()[i]; }
  /// Elements.
  std::int64_t size() const { return size_; }
  std::size_t bytes() const { return static_cast<std::size_t>(size_) * dtype_size(dtype_); }

  const void* raw() const { return data_.get(); }
  /// Whether another tensor, a model's constant perhaps, holds the same storage.
  bool is_shared() const { return data_.use_count() > 1; }
  /// Precondition: created by create() or from_floats(), not a view.
  void* mutable_raw() { return const_cast<void*>(data_.get()); }

  template <class T>
  const T* data() const {
    return static_cast<const T*>(raw());
  }
  template <class T>
  T* mutable_data() {
    return static_cast<T*>(mutable_raw());
  }
  template <class T>
  std::span<const T> span() const {
    return {data<T>(), static_cast<std::size_t>(size_)};
  }

  /// The same elements under another shape of equal size.
  /// Precondition: the product of `shape` is size().
  Tensor reshaped(Shape shape) const;

 private:
  static const Shape& no_elements();  // [0]

  DType dtype_ = DType::f32;
  Shape shape_;  // of an empty tensor perhaps empty, which costs no memory
  std::int64_t size_ = 0;
  std::shared_ptr<const void> data_;
};

}  // namespace pbatch
