#include "run/control/slice_stack.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "op/data_checks.h"
#include "op/float_checks.h"
#include "op/shape/strided_copy.h"

namespace pbatch {
namespace {

constexpr std::int64_t kFirstRoom = 8;

Shape with_count(const Shape& slice, std::int64_t count) {
  Shape shape{count};
  shape.insert(shape.end(), slice.begin(), slice.end());
  return shape;
}

Result<Tensor> empty_stack(const RunContext& context, const Value& declared, std::int64_t axis) {
  Shape shape;
  if (declared.dims) {
    for (const Dim& dim : *declared.dims) shape.push_back(std::max<std::int64_t>(dim.value, 0));
  }
  PBATCH_ASSIGN_OR_RETURN(const std::size_t at, normalize_axis(axis, shape.size() + 1));
  shape.insert(shape.begin() + static_cast<std::ptrdiff_t>(at), 0);
  return context.allocate(declared.dtype, std::move(shape));
}

}  // namespace

Status SliceStack::add(const RunContext& context, const Tensor& slice) {
  if (count_ == 0) {
    first_ = slice;
  } else if (slice.dtype() != first_.dtype() || slice.shape() != first_.shape()) {
    return {ErrorCode::shape_mismatch,
            "a scan output is " + describe_tensor(first_) + " at first and " +
                describe_tensor(slice) + " in round " + std::to_string(count_),
            "a scan output must have one type and shape"};
  }
  if (count_ == room_) PBATCH_RETURN_IF_ERROR(grow(context));
  if (slice.bytes() != 0) {
    char* const to = static_cast<char*>(memory_.mutable_raw());
    std::memcpy(to + static_cast<std::size_t>(count_) * slice.bytes(), slice.raw(), slice.bytes());
  }
  ++count_;
  return Status::ok();
}

Status SliceStack::grow(const RunContext& context) {
  room_ = std::min(most_, std::max(kFirstRoom, 2 * count_));
  PBATCH_ASSIGN_OR_RETURN(Tensor larger,
                          context.allocate(first_.dtype(), with_count(first_.shape(), room_)));
  const std::size_t used = static_cast<std::size_t>(count_) * first_.bytes();
  if (used != 0) std::memcpy(larger.mutable_raw(), memory_.raw(), used);
  memory_ = std::move(larger);
  return Status::ok();
}

Result<Tensor> SliceStack::finish(const RunContext& context, const Value& declared,
                                  std::int64_t axis, bool backwards) const {
  if (count_ == 0) return empty_stack(context, declared, axis);
  Shape shape = with_count(first_.shape(), count_);
  PBATCH_ASSIGN_OR_RETURN(const std::size_t at, normalize_axis(axis, shape.size()));
  if (at == 0 && !backwards) {
    return Tensor::view(first_.dtype(), std::move(shape), memory_.raw(),
                        std::make_shared<const Tensor>(memory_));
  }
  std::vector<std::int64_t> strides = row_major_strides(shape);
  const char* first = static_cast<const char*>(memory_.raw());
  if (backwards) {
    first += static_cast<std::size_t>(count_ - 1) * first_.bytes();
    strides[0] = -strides[0];
  }
  const auto to = static_cast<std::ptrdiff_t>(at);
  std::rotate(shape.begin(), shape.begin() + 1, shape.begin() + 1 + to);
  std::rotate(strides.begin(), strides.begin() + 1, strides.begin() + 1 + to);
  PBATCH_ASSIGN_OR_RETURN(Tensor stacked, context.allocate(first_.dtype(), shape));
  copy_strided({first, std::move(shape), std::move(strides)}, stacked, context.pool);
  return stacked;
}

Result<Tensor> slice_at(const RunContext& context, const Tensor& tensor, std::size_t axis,
                        std::int64_t index) {
  std::vector<std::int64_t> strides = row_major_strides(tensor.shape());
  Shape shape = tensor.shape();
  const auto at = static_cast<std::ptrdiff_t>(axis);
  const char* first = static_cast<const char*>(tensor.raw()) +
                      index * strides[axis] * static_cast<std::int64_t>(dtype_size(tensor.dtype()));
  shape.erase(shape.begin() + at);
  strides.erase(strides.begin() + at);
  if (axis == 0) {
    return Tensor::view(tensor.dtype(), std::move(shape), first,
                        std::make_shared<const Tensor>(tensor));
  }
  PBATCH_ASSIGN_OR_RETURN(Tensor slice, context.allocate(tensor.dtype(), shape));
  copy_strided({first, std::move(shape), std::move(strides)}, slice, context.pool);
  return slice;
}

}  // namespace pbatch
