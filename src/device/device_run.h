// A network on a device for one precision and one set of input shapes: recorded once, then
// replayed.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "device/device_build.h"
#include "device/device_weights.h"
#include "run/program.h"

namespace pbatch {

/// Immutable but for its memory; run() takes turns.
class DeviceRun {
 public:
  /// Builds every node of the program for inputs of these types and shapes, and records the work:
  /// copies in, kernels, copies out. `inputs` are looked at for types and shapes only.
  static Result<std::shared_ptr<DeviceRun>> create(const Program& program, DeviceWeights& weights,
                                                   const Precision& precision, RunContext& host,
                                                   std::span<const Tensor> inputs);
  ~DeviceRun();
  DeviceRun(const DeviceRun&) = delete;
  DeviceRun& operator=(const DeviceRun&) = delete;

  /// What it does, node by node.
  const std::vector<PlanStep>& steps() const { return steps_; }
  /// The outputs, in memory of `host`. Thread-safe.
  Result<std::vector<Tensor>> run(RunContext& host, std::span<const Tensor> inputs) const;

 private:
  class Builder;

  struct Output {
    std::optional<Tensor> known;  // if it does not depend on the inputs' values
    DType type = DType::f32;
    Shape shape;
    std::int64_t offset = 0;  // in results_
  };

  DeviceRun(const Graph& graph, std::shared_ptr<Accelerator> device)
      : graph_(graph), device_(std::move(device)) {}
  Status check_flags() const;

  const Graph& graph_;
  const std::shared_ptr<Accelerator> device_;
  Stream stream_ = nullptr;
  Recording recording_ = nullptr;
  // Of the host, for the device's copies: the inputs; the outputs, then a flag for each node.
  void *arguments_ = nullptr, *results_ = nullptr;
  std::vector<std::int64_t> input_offsets_;
  std::int64_t flags_offset_ = 0;
  std::vector<Output> outputs_;
  std::vector<PlanStep> steps_;
  std::vector<std::shared_ptr<const void>> kept_;
  std::shared_ptr<DevicePool> pool_;
  DeviceBuffer flags_;
  mutable std::mutex mutex_;
};

}  // namespace pbatch
