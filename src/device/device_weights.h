// All that a network keeps on a device: its matrices of bit-layers, and float constants.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "device/device_tensor.h"
#include "device/resident_matrix.h"
#include "graph/graph.h"

namespace pbatch {

/// Thread-safe.
class DeviceWeights {
 public:
  explicit DeviceWeights(std::shared_ptr<Accelerator> device) : device_(std::move(device)) {}

  const std::shared_ptr<Accelerator>& device() const { return device_; }

  /// The bit-layers of a node that has some, at `weight_bits` or more.
  Result<const DeviceMatrix*> matrix(const Node& node, int weight_bits);
  /// A copy of a constant of the network, made once for each `role` of its values: `change` gives
  /// what is to be copied.
  Result<DeviceTensor> constant(const Tensor& constant, const std::string& role,
                                const std::function<Result<Tensor>(const Tensor&)>& change);
  /// The constant as it is.
  Result<DeviceTensor> constant(const Tensor& constant);

 private:
  const std::shared_ptr<Accelerator> device_;
  std::mutex mutex_;
  std::map<const BitMatrix*, std::unique_ptr<ResidentMatrix>> matrices_;
  std::map<std::pair<const void*, std::string>, DeviceTensor> constants_;  // by data and role
};

/// A copy of a host's tensor in device memory of its own.
Result<DeviceTensor> copy_to_device(const std::shared_ptr<Accelerator>& device,
                                    const Tensor& tensor);
/// [rows][cols] -> [cols][rows], float32.
Result<Tensor> transposed(const Tensor& matrix);

}  // namespace pbatch
