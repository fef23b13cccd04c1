// Operators that only move elements: Reshape, Transpose, Slice, Concat and the like. The host's
// operator is run once, on the numbers of the elements instead of their values; what it makes says
// where every element of the result comes from. So every form of every opset means the same on
// both.
#include <algorithm>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "device/device_op.h"

namespace pbatch {
namespace {

// Elements are numbered by int32; -1 is none of this input's.
Result<Tensor> numbers_for(const DeviceTensor& tensor, bool numbered) {
  if (tensor.size() > std::numeric_limits<std::int32_t>::max()) {
    return only_on_the_cpu("tensors of more than 2^31 elements are moved");
  }
  PBATCH_ASSIGN_OR_RETURN(Tensor numbers, Tensor::create(DType::i32, tensor.shape()));
  auto* const to = numbers.mutable_data<std::int32_t>();
  if (numbered) {
    std::iota(to, to + numbers.size(), 0);
  } else {
    std::fill_n(to, numbers.size(), -1);
  }
  return numbers;
}

bool is_every_one_in_order(const Tensor& numbers, std::int64_t count) {
  const auto all = numbers.span<std::int32_t>();
  if (static_cast<std::int64_t>(all.size()) != count) return false;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i] != static_cast<std::int32_t>(i)) return false;
  }
  return true;
}

class Mover {
 public:
  Mover(DeviceBuild& build, std::span<const BuildValue> inputs, std::size_t data_inputs)
      : build_(build), inputs_(inputs), data_inputs_(data_inputs) {}

  Status run(std::span<BuildValue> outputs) {
    for (std::size_t i = 0; i < data_inputs_; ++i) {
      PBATCH_ASSIGN_OR_RETURN(DeviceTensor tensor, build_.on_device(inputs_[i]));
      if (tensor.dtype() != inputs_[0].dtype()) {
        return {ErrorCode::shape_mismatch, "the inputs are not of one element type",
                "export the network again"};
      }
      data_.push_back(std::move(tensor));
    }
    for (std::size_t i = data_inputs_; i < inputs_.size(); ++i) {
      if (inputs_[i].device) {
        return only_on_the_cpu("input " + std::to_string(i) +
                               " is computed by the network and decides on shapes, which works");
      }
    }
    for (std::size_t i = 0; i < data_inputs_; ++i) PBATCH_RETURN_IF_ERROR(move_input(i, outputs));
    return Status::ok();
  }

 private:
  // Runs the host's operator on the numbers of input i and moves what is i's.
  Status move_input(std::size_t i, std::span<BuildValue> outputs) {
    std::vector<Tensor> numbers;
    for (std::size_t k = 0; k < data_inputs_; ++k) {
      PBATCH_ASSIGN_OR_RETURN(Tensor numbered, numbers_for(data_[k], k == i));
      numbers.push_back(std::move(numbered));
    }
    std::vector<const Tensor*> inputs;
    for (std::size_t k = 0; k < inputs_.size(); ++k) {
      const bool is_data = k < data_inputs_;
      inputs.push_back(is_data ? &numbers[k] : inputs_[k].host ? &*inputs_[k].host : nullptr);
    }
    std::vector<Tensor> made(outputs.size());
    PBATCH_RETURN_IF_ERROR(build_.op().run(build_.host(), inputs, made));
    for (std::size_t k = 0; k < made.size(); ++k) {
      if (made[k].dtype() != DType::i32) {
        outputs[k].host = made[k];  // no elements of the input's: the mask of Dropout
      } else {
        PBATCH_RETURN_IF_ERROR(fill(data_[i], made[k], outputs[k]));
      }
    }
    return Status::ok();
  }

  Status fill(const DeviceTensor& from, const Tensor& numbers, BuildValue& output) {
    if (data_inputs_ == 1 && is_every_one_in_order(numbers, from.size())) {
      output.device = from.reshaped(numbers.shape());
      return Status::ok();
    }
    if (!output.device) {
      PBATCH_ASSIGN_OR_RETURN(output.device, build_.allocate(from.dtype(), numbers.shape()));
    }
    PBATCH_ASSIGN_OR_RETURN(const DeviceTensor index, build_.upload(numbers));
    MoveArgs args = {};
    args.count = numbers.size();
    args.element_bytes = static_cast<int>(dtype_size(from.dtype()));
    args.from = from.data<void>();
    args.index = index.data<std::int32_t>();
    args.to = output.device->data<void>();
    build_.add([args](Accelerator& device, Stream stream) { return device.move(args, stream); });
    return Status::ok();
  }

  DeviceBuild& build_;
  std::span<const BuildValue> inputs_;
  std::size_t data_inputs_;
  std::vector<DeviceTensor> data_;
};

}  // namespace

Status build_movement(DeviceBuild& build, const Node& node, std::span<const BuildValue> inputs,
                      std::span<BuildValue> outputs) {
  return Mover(build, inputs, node.op_type == "Concat" ? inputs.size() : 1).run(outputs);
}

}  // namespace pbatch
