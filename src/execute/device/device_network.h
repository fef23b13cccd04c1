// A network that runs on a device.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "execute/device/device_run.h"
#include "execute/recent.h"

namespace pbatch {

/// Weights stay on the device; runs that are ready to be replayed are kept for the precisions and
/// shapes used last. Thread-safe.
class DeviceNetwork {
 public:
  /// An error that names the first node whose operator the device does not run. `program` must
  /// outlive the network.
  static Result<std::unique_ptr<DeviceNetwork>> create(const Program& program,
                                                       std::shared_ptr<cuda::Device> device);

  const cuda::Device& device() const { return *weights_.device(); }

  /// Copies what a run at this precision needs of the weights. When the device's memory is full,
  /// runs kept for later are given up first, by run(), too.
  Status prepare(const Precision& precision);
  /// `inputs` as Program::run has them. The same inputs and precision give the same bits.
  Result<std::vector<Tensor>> run(RunContext& host, std::span<const Tensor> inputs);
  /// What multiplies the node's matrix.
  PlanStep plan(const Node& node, const LayerPrecision& precision, std::int64_t batch,
                PlanStep step) const;

 private:
  struct Key {
    Precision precision;
    std::vector<DType> types;
    std::vector<Shape> shapes;
    friend bool operator==(const Key&, const Key&) = default;
  };

  DeviceNetwork(const Program& program, std::shared_ptr<cuda::Device> device);
  Status copy_weights(const Precision& precision);
  Result<std::shared_ptr<const DeviceRun>> find_or_make(RunContext& host,
                                                        std::span<const Tensor> inputs);

  const Program& program_;
  DeviceWeights weights_;
  std::mutex mutex_;
  Recent<Key, DeviceRun> runs_;
};

}  // namespace pbatch
