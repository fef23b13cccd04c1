#include "op/data_checks.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "op/float_checks.h"

namespace pbatch {
namespace {

Status not_integers(const Tensor& tensor, const char* what) {
  return {ErrorCode::unsupported,
          std::string(what) + " is " + describe_tensor(tensor) + ", but must be int32 or int64",
          "add a Cast to int64"};
}

template <class T>
void fill(void* to, std::int64_t count, const void* value) {
  T element;
  std::memcpy(&element, value, sizeof element);
  std::fill_n(static_cast<T*>(to), count, element);
}

}  // namespace

Result<std::vector<std::int64_t>> read_integers(const Tensor& tensor, const char* what) {
  if (tensor.rank() > 1) {
    return Status(ErrorCode::shape_mismatch,
                  std::string(what) + " has shape " + shape_to_string(tensor.shape()) +
                      ", but must be a list",
                  "export the network again");
  }
  const Result<Indices> values = Indices::of(tensor);
  if (!values) return not_integers(tensor, what);
  std::vector<std::int64_t> list(static_cast<std::size_t>(tensor.size()));
  for (std::size_t i = 0; i < list.size(); ++i) list[i] = (*values)[static_cast<std::int64_t>(i)];
  return list;
}

Result<std::int64_t> read_integer(const Tensor& tensor, const char* what) {
  if (tensor.size() != 1) {
    return Status(ErrorCode::shape_mismatch,
                  std::string(what) + " has shape " + shape_to_string(tensor.shape()) +
                      ", but must be one number",
                  "export the network again");
  }
  const Result<Indices> values = Indices::of(tensor);
  if (!values) return not_integers(tensor, what);
  return (*values)[0];
}

Result<std::vector<bool>> mark_axes(const std::vector<std::int64_t>& axes, std::size_t rank) {
  std::vector<bool> marked(rank, false);
  for (const std::int64_t given : axes) {
    PBATCH_ASSIGN_OR_RETURN(const std::size_t axis, normalize_axis(given, rank));
    if (marked[axis]) {
      return Status(ErrorCode::malformed, "axis " + std::to_string(given) + " is named twice",
                    "name every axis once");
    }
    marked[axis] = true;
  }
  return marked;
}

Result<Indices> Indices::of(const Tensor& tensor) {
  Indices indices;
  if (tensor.dtype() == DType::i64) {
    indices.wide_ = tensor.data<std::int64_t>();
  } else if (tensor.dtype() == DType::i32) {
    indices.narrow_ = tensor.data<std::int32_t>();
  } else {
    return not_integers(tensor, "the tensor of indices");
  }
  return indices;
}

Status index_out_of_range(std::int64_t index, std::int64_t extent) {
  return {ErrorCode::invalid_argument,
          "index " + std::to_string(index) + " is out of range for a dimension of " +
              std::to_string(extent),
          "feed indices from " + std::to_string(-extent) + " to " + std::to_string(extent - 1)};
}

Result<IndexReader> IndexReader::create(const Tensor& indices, std::int64_t extent) {
  PBATCH_RETURN_IF_ERROR(Indices::of(indices).status());
  IndexReader reader;
  reader.count_ = indices.size();
  reader.extent_ = extent;
  reader.wide_ = indices.dtype() == DType::i64;
  return reader;
}

Status IndexReader::read(const void* indices, std::int64_t* to) const {
  for (std::int64_t i = 0; i < count_; ++i) {
    const std::int64_t given = wide_ ? static_cast<const std::int64_t*>(indices)[i]
                                     : static_cast<const std::int32_t*>(indices)[i];
    to[i] = given;
    if (!wrap_index(extent_, &to[i])) return index_out_of_range(given, extent_);
  }
  return Status::ok();
}

std::vector<std::int64_t> row_major_strides(const Shape& shape) {
  std::vector<std::int64_t> strides(shape.size(), 1);
  for (std::size_t d = shape.size(); d-- > 1;) strides[d - 1] = strides[d] * shape[d];
  return strides;
}

std::int64_t items_worth_a_thread(std::int64_t bytes) {
  constexpr std::int64_t kWorthAThread = std::int64_t{1} << 17;
  return std::max<std::int64_t>(1, kWorthAThread / std::max<std::int64_t>(1, bytes));
}

void fill_elements(void* to, std::int64_t count, const void* value, std::size_t element_size) {
  switch (element_size) {
    case 1:
      return fill<std::uint8_t>(to, count, value);
    case 2:
      return fill<std::uint16_t>(to, count, value);
    case 4:
      return fill<std::uint32_t>(to, count, value);
    default:
      return fill<std::uint64_t>(to, count, value);
  }
}

}  // namespace pbatch
