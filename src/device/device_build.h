// What device operators build with: memory, constants, and the list of work of a run.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "accelerator/accelerator.h"
#include "accelerator/device_buffer.h"
#include "device/device_pool.h"
#include "device/device_tensor.h"
#include "device/device_weights.h"
#include "op/op.h"

namespace pbatch {

/// A value of the graph while a run is built: known to the host already, or made on the device when
/// the run is done; neither: absent.
struct BuildValue {
  std::optional<Tensor> host;
  std::optional<DeviceTensor> device;
  bool is_constant = false;  ///< of the network: its copy on the device serves all runs

  bool is_absent() const { return !host && !device; }
  const Shape& shape() const { return host ? host->shape() : device->shape(); }
  DType dtype() const { return host ? host->dtype() : device->dtype(); }
};

/// A run on a device while it is built. For one thread.
class DeviceBuild {
 public:
  using Work = std::function<Status(Accelerator& device, Stream stream)>;

  DeviceBuild(const Graph& graph, DeviceWeights& weights, const Precision& precision,
              RunContext& host);

  const Graph& graph() const { return graph_; }
  DeviceWeights& weights() { return weights_; }
  const std::shared_ptr<Accelerator>& device() const { return weights_.device(); }
  /// For operators that the host runs while it builds.
  RunContext& host() { return host_; }

  /// The node that is built from now on, number `index` of the graph.
  void begin_node(const Node& node, const Op& op, std::size_t index);
  const Op& op() const { return *op_; }
  const LayerPrecision& precision() const;
  /// What Session::plan says of the node.
  PlanStep& step() { return step_; }
  /// The word of device memory in which kernels say what is wrong with the node's data (flags.h); 0
  /// when a run begins.
  std::uint32_t* flag() const { return first_flag() + index_; }
  /// That of the graph's first node; the others follow.
  std::uint32_t* first_flag() const { return flags_.as<std::uint32_t>(); }

  /// Takes memory for one flag per node.
  Status allocate_flags();
  /// Memory that later tensors of the run take over once the last reference is gone.
  Result<DeviceTensor> allocate(DType type, Shape shape);
  /// A copy of the host's, for as long as the run is kept.
  Result<DeviceTensor> upload(const Tensor& tensor);
  /// The value on the device, wherever it is now. Precondition: it is there at all.
  Result<DeviceTensor> on_device(const BuildValue& value);

  /// Appends to the work of the run. What it points to must live as long as the run: allocate(),
  /// upload() and keep() see to that.
  void add(Work work) { work_.push_back(std::move(work)); }
  /// Keeps an object as long as the run.
  template <class T>
  T* keep(T object) {
    auto held = std::make_shared<T>(std::move(object));
    T* const pointer = held.get();
    kept_.push_back(std::move(held));
    return pointer;
  }

  // What is left of the build when it is done.
  std::vector<Work> take_work() { return std::move(work_); }
  std::vector<std::shared_ptr<const void>> take_kept() { return std::move(kept_); }
  DeviceBuffer take_flags() { return std::move(flags_); }
  std::shared_ptr<DevicePool> pool() const { return pool_; }

 private:
  const Graph& graph_;
  DeviceWeights& weights_;
  const Precision& precision_;
  RunContext& host_;
  const Node* node_ = nullptr;
  const Op* op_ = nullptr;
  PlanStep step_;
  std::size_t index_ = 0;
  std::shared_ptr<DevicePool> pool_;
  DeviceBuffer flags_;
  std::vector<Work> work_;
  std::vector<std::shared_ptr<const void>> kept_;
};

}  // namespace pbatch
