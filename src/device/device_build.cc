#include "device/device_build.h"

#include <algorithm>
#include <utility>

namespace pbatch {

DeviceBuild::DeviceBuild(const Graph& graph, DeviceWeights& weights, const Precision& precision,
                         RunContext& host)
    : graph_(graph),
      weights_(weights),
      precision_(precision),
      host_(host),
      pool_(std::make_shared<DevicePool>(weights.device())) {}

void DeviceBuild::begin_node(const Node& node, const Op& op, std::size_t index) {
  node_ = &node;
  op_ = &op;
  index_ = index;
  step_ = {};
  step_.node = node.name;
  step_.op_type = node.op_type;
  step_.kernel = "float";
}

const LayerPrecision& DeviceBuild::precision() const { return precision_.of(node_->name); }

Status DeviceBuild::allocate_flags() {
  const auto nodes = static_cast<std::int64_t>(std::max<std::size_t>(1, graph_.nodes.size()));
  PBATCH_ASSIGN_OR_RETURN(flags_, DeviceBuffer::allocate(device(), nodes * 4));
  return Status::ok();
}

Result<DeviceTensor> DeviceBuild::allocate(DType type, Shape shape) {
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t count, checked_element_count(shape, dtype_size(type)));
  PBATCH_ASSIGN_OR_RETURN(
      std::shared_ptr<void> memory,
      pool_->take(std::max<std::int64_t>(1, count) * static_cast<std::int64_t>(dtype_size(type))));
  void* const data = memory.get();
  return DeviceTensor(type, std::move(shape), data, std::move(memory));
}

Result<DeviceTensor> DeviceBuild::upload(const Tensor& tensor) {
  PBATCH_ASSIGN_OR_RETURN(DeviceTensor copy, copy_to_device(device(), tensor));
  return *keep(std::move(copy));
}

Result<DeviceTensor> DeviceBuild::on_device(const BuildValue& value) {
  if (value.device) return *value.device;
  return value.is_constant ? weights_.constant(*value.host) : upload(*value.host);
}

}  // namespace pbatch
