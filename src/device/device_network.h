// A network that runs on a device.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "base/recent.h"
#include "device/device_run.h"

namespace pbatch {

/// Weights stay on the device; runs that are ready to be replayed are kept for the precisions and
/// shapes used last. Thread-safe.
class DeviceNetwork {
 public:
  /// An error that names the first node that a device does not run, and the operators of all
  /// others. Needs no device.
  static Status check(const Graph& graph);

  /// The error of check(), if there is one. `program` must outlive the network.
  static Result<std::unique_ptr<DeviceNetwork>> create(const Program& program,
                                                       std::shared_ptr<Accelerator> device);

  const Accelerator& device() const { return *weights_.device(); }

  /// What a run on inputs of these types does. It is ready then: planes are copied and the run is
  /// recorded. When the device's memory is full, runs kept for later are given up first, by run(),
  /// too.
  Result<std::vector<PlanStep>> plan(RunContext& host, std::span<const Tensor> inputs);
  /// `inputs` as Program::run has them. The same inputs and precision give the same bits.
  Result<std::vector<Tensor>> run(RunContext& host, std::span<const Tensor> inputs);

 private:
  struct Key {
    Precision precision;
    std::vector<DType> types;
    std::vector<Shape> shapes;
    friend bool operator==(const Key&, const Key&) = default;
  };

  DeviceNetwork(const Program& program, std::shared_ptr<Accelerator> device);
  Result<std::shared_ptr<const DeviceRun>> find_or_make(RunContext& host,
                                                        std::span<const Tensor> inputs);

  const Program& program_;
  DeviceWeights weights_;
  std::mutex mutex_;
  Recent<Key, DeviceRun> runs_;
};

}  // namespace pbatch
