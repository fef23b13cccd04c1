#include "device/device_weights.h"

#include <utility>

#include "accelerator/device_buffer.h"

namespace pbatch {

Result<const DeviceMatrix*> DeviceWeights::matrix(const Node& node, int weight_bits) {
  ResidentMatrix* held = nullptr;
  {
    const std::lock_guard lock(mutex_);
    std::unique_ptr<ResidentMatrix>& entry = matrices_[node.matrix.get()];
    if (entry == nullptr) entry = std::make_unique<ResidentMatrix>(node.matrix, device_);
    held = entry.get();
  }
  return held->get(weight_bits);
}

Result<DeviceTensor> DeviceWeights::constant(
    const Tensor& constant, const std::string& role,
    const std::function<Result<Tensor>(const Tensor&)>& change) {
  const std::lock_guard lock(mutex_);
  const auto key = std::make_pair(constant.raw(), role);
  const auto held = constants_.find(key);
  if (held != constants_.end()) return held->second;
  PBATCH_ASSIGN_OR_RETURN(const Tensor changed, change(constant));
  PBATCH_ASSIGN_OR_RETURN(DeviceTensor copy, copy_to_device(device_, changed));
  constants_.emplace(key, copy);
  return copy;
}

Result<DeviceTensor> DeviceWeights::constant(const Tensor& tensor) {
  const std::string role = dtype_name(tensor.dtype()) + std::to_string(tensor.size());
  PBATCH_ASSIGN_OR_RETURN(
      DeviceTensor copy,
      constant(tensor, role, [](const Tensor& t) -> Result<Tensor> { return t; }));
  return copy.reshaped(tensor.shape());  // data may be shared by constants of several shapes
}

Result<DeviceTensor> copy_to_device(const std::shared_ptr<Accelerator>& device,
                                    const Tensor& tensor) {
  PBATCH_ASSIGN_OR_RETURN(
      DeviceBuffer buffer,
      DeviceBuffer::copy_of(device, tensor.raw(), static_cast<std::int64_t>(tensor.bytes())));
  auto owner = std::make_shared<DeviceBuffer>(std::move(buffer));
  void* const memory = owner->as<void>();
  return DeviceTensor(tensor.dtype(), tensor.shape(), memory, std::move(owner));
}

Result<Tensor> transposed(const Tensor& matrix) {
  const std::int64_t rows = matrix.dim(0), cols = matrix.dim(1);
  PBATCH_ASSIGN_OR_RETURN(Tensor out, Tensor::create(DType::f32, {cols, rows}));
  const float* const from = matrix.data<float>();
  float* const to = out.mutable_data<float>();
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < cols; ++c) to[c * rows + r] = from[r * cols + c];
  }
  return out;
}

}  // namespace pbatch
