#include "cascade/batch.h"

#include <cstring>

namespace pbatch {
namespace {

// Copies item from_items[i] of `from` to place to_items[i] of `to`; no list: i itself.
void copy_items(const Tensor& from, const std::int64_t* from_items, Tensor& to,
                const std::int64_t* to_items, int axis, std::size_t count) {
  if (from.bytes() == 0) return;
  const ItemBlocks source(from.shape(), axis), target(to.shape(), axis);
  const auto element = static_cast<std::int64_t>(dtype_size(from.dtype()));
  const auto* const read = static_cast<const char*>(from.raw());
  auto* const write = static_cast<char*>(to.mutable_raw());
  for (std::int64_t block = 0; block < source.outer; ++block) {
    for (std::size_t i = 0; i < count; ++i) {
      const auto own = static_cast<std::int64_t>(i);
      const std::int64_t at = source.at(block, from_items == nullptr ? own : from_items[i]);
      const std::int64_t place = target.at(block, to_items == nullptr ? own : to_items[i]);
      std::memcpy(write + place * element, read + at * element,
                  static_cast<std::size_t>(source.inner * element));
    }
  }
}

}  // namespace

ItemBlocks::ItemBlocks(const Shape& shape, int axis) {
  for (std::size_t d = 0; d < shape.size(); ++d) {
    if (static_cast<int>(d) == axis) {
      items = shape[d];
    } else {
      (static_cast<int>(d) < axis ? outer : inner) *= shape[d];
    }
  }
}

int batch_axis(const std::map<std::string, int>& axes, const std::string& name,
               const Tensor& tensor) {
  if (tensor.rank() == 0) return -1;
  const auto it = axes.find(name);
  return it == axes.end() ? 0 : it->second;
}

Result<std::int64_t> count_items(std::span<const NamedTensor> inputs,
                                 const std::map<std::string, int>& axes) {
  const NamedTensor* first = nullptr;
  std::int64_t items = 0;
  for (const NamedTensor& input : inputs) {
    const int axis = batch_axis(axes, input.name, input.tensor);
    if (axis < 0) continue;
    if (static_cast<std::size_t>(axis) >= input.tensor.rank()) {
      return Status(ErrorCode::shape_mismatch,
                    "input '" + input.name + "' of shape " + shape_to_string(input.tensor.shape()) +
                        " has no dimension " + std::to_string(axis) + " to count items",
                    "count the batch dimension from 0");
    }
    const std::int64_t own = input.tensor.dim(static_cast<std::size_t>(axis));
    if (first != nullptr && own != items) {
      return Status(ErrorCode::shape_mismatch,
                    "input '" + input.name + "' has " + std::to_string(own) + " items and '" +
                        first->name + "' has " + std::to_string(items),
                    "give the same items, or say which dimension counts them");
    }
    items = own;
    first = &input;
  }
  if (first == nullptr) {
    return Status(ErrorCode::invalid_argument, "no input has items",
                  "say which dimension of an input counts them");
  }
  return items;
}

Result<Tensor> gather_items(const Tensor& from, int axis, std::span<const std::int64_t> which) {
  Shape shape = from.shape();
  shape[static_cast<std::size_t>(axis)] = static_cast<std::int64_t>(which.size());
  PBATCH_ASSIGN_OR_RETURN(Tensor to, Tensor::create(from.dtype(), std::move(shape)));
  if (to.bytes() > 0) copy_items(from, which.data(), to, nullptr, axis, which.size());
  return to;
}

void scatter_items(const Tensor& from, int axis, std::span<const std::int64_t> which, Tensor& to) {
  copy_items(from, nullptr, to, which.data(), axis, which.size());
}

Status check_same_items(const std::string& output, const Tensor& a, int axis, const Tensor& b) {
  Shape shape = a.shape();
  if (shape.size() == b.rank()) {
    const auto d = static_cast<std::size_t>(axis);
    shape[d] = b.dim(d);
  }
  if (shape == b.shape() && a.dtype() == b.dtype()) return Status::ok();
  return {ErrorCode::shape_mismatch,
          "output '" + output + "' is " + shape_to_string(a.shape()) + " in one run and " +
              shape_to_string(b.shape()) + " in another",
          "run items one at a time: their answers have different shapes"};
}

Result<std::int64_t> fixed_batch(const std::vector<PortInfo>& inputs,
                                 const std::map<std::string, int>& axes) {
  const PortInfo* fixing = nullptr;
  std::int64_t batch = 0;
  for (const PortInfo& port : inputs) {
    const auto it = axes.find(port.name);
    const int axis = it == axes.end() ? 0 : it->second;
    if (axis < 0 || static_cast<std::size_t>(axis) >= port.shape.size() || port.optional) continue;
    const std::int64_t own = port.shape[static_cast<std::size_t>(axis)];
    if (own <= 0) continue;
    if (fixing != nullptr && own != batch) {
      return Status(ErrorCode::shape_mismatch,
                    "input '" + port.name + "' takes " + std::to_string(own) +
                        " items a run and '" + fixing->name + "' takes " + std::to_string(batch),
                    "say which dimension of each counts the items");
    }
    batch = own;
    fixing = &port;
  }
  return batch;
}

}  // namespace pbatch
