// Checks that operators over shapes, indices and elements of any type share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "op/op.h"
#include "pbatch/status.h"
#include "pbatch/tensor.h"

namespace pbatch {

/// The values of an int32 or int64 tensor of rank 0 or 1; `what` names it in messages.
Result<std::vector<std::int64_t>> read_integers(const Tensor& tensor, const char* what);

/// The value of an int32 or int64 tensor of one element.
Result<std::int64_t> read_integer(const Tensor& tensor, const char* what);

/// A list of axes as a set: true at every axis named. Refuses axes out of range or named twice.
Result<std::vector<bool>> mark_axes(const std::vector<std::int64_t>& axes, std::size_t rank);

/// The elements of an int32 or int64 tensor as they come.
class Indices {
 public:
  /// An error for other element types.
  static Result<Indices> of(const Tensor& tensor);
  /// Precondition: of() took a tensor of this type.
  Indices(DType type, const void* elements)
      : wide_(type == DType::i64 ? static_cast<const std::int64_t*>(elements) : nullptr),
        narrow_(type == DType::i64 ? nullptr : static_cast<const std::int32_t*>(elements)) {}
  std::int64_t operator[](std::int64_t i) const { return wide_ != nullptr ? wide_[i] : narrow_[i]; }

 private:
  Indices() = default;
  const std::int64_t* wide_ = nullptr;
  const std::int32_t* narrow_ = nullptr;
};

/// Turns an index that may count from the end into one from 0. False if it is out of range.
inline bool wrap_index(std::int64_t extent, std::int64_t* index) {
  if (*index < 0) *index += extent;
  return *index >= 0 && *index < extent;
}

/// The error for a false wrap_index().
Status index_out_of_range(std::int64_t index, std::int64_t extent);

/// Reads a tensor of indices as int64, each from 0 and below an extent.
class IndexReader {
 public:
  /// For tensors of this type; an error if it is neither int32 nor int64.
  static Result<IndexReader> create(const Tensor& indices, std::int64_t extent);

  std::int64_t count() const { return count_; }
  /// Of what read() writes.
  std::size_t bytes() const { return static_cast<std::size_t>(count_) * sizeof(std::int64_t); }
  /// An error for an index out of range.
  Status read(const void* indices, std::int64_t* to) const;

 private:
  std::int64_t count_ = 0, extent_ = 0;
  bool wide_ = false;
};

/// Elements from one step of each dimension to the next.
std::vector<std::int64_t> row_major_strides(const Shape& shape);

/// How many items of `bytes` each are worth a thread; at least 1.
std::int64_t items_worth_a_thread(std::int64_t bytes);

/// Writes `count` copies of the element at `value`.
void fill_elements(void* to, std::int64_t count, const void* value, std::size_t element_size);

}  // namespace pbatch
