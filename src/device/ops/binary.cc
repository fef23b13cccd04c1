// Functions of two numbers, with shapes that are broadcast.
#include <limits>
#include <string>

#include "device/device_op.h"
#include "op/math/broadcast.h"
#include "op/math/element_function.h"

namespace pbatch {
namespace {

// Which element of an input of shape `from` each element of the result takes; null for its own.
Result<const std::int32_t*> index_of(DeviceBuild& build, const Shape& from, const Shape& to,
                                     const Broadcast& broadcast, std::size_t input) {
  if (from == to) return static_cast<const std::int32_t*>(nullptr);
  if (broadcast.size() > std::numeric_limits<std::int32_t>::max()) {
    return only_on_the_cpu("shapes of more than 2^31 elements are broadcast");
  }
  PBATCH_ASSIGN_OR_RETURN(Tensor index, Tensor::create(DType::i32, to));
  auto* const at = index.mutable_data<std::int32_t>();
  broadcast.for_each_run(
      0, broadcast.size(),
      [&](std::int64_t position, std::int64_t count, const Broadcast::Offsets& offsets) {
        for (std::int64_t i = 0; i < count; ++i) {
          at[position + i] = static_cast<std::int32_t>(offsets[input] + i * broadcast.step(input));
        }
      });
  PBATCH_ASSIGN_OR_RETURN(const DeviceTensor there, build.upload(index));
  return static_cast<const std::int32_t*>(there.data<std::int32_t>());
}

}  // namespace

Status check_binary(const Node& node) {
  if (node.inputs.size() == 2) return Status::ok();
  return only_on_the_cpu(node.op_type + " of other than two inputs works");
}

Status build_binary(DeviceBuild& build, const Node& node, std::span<const BuildValue> inputs,
                    std::span<BuildValue> outputs) {
  ElementwiseArgs args = {};
  args.function = find_element_spec(node.op_type)->function;
  PBATCH_ASSIGN_OR_RETURN(const DeviceTensor a, float_input(build, inputs, 0, "input A"));
  PBATCH_ASSIGN_OR_RETURN(const DeviceTensor b, float_input(build, inputs, 1, "input B"));
  PBATCH_ASSIGN_OR_RETURN(const Broadcast broadcast, Broadcast::create({&a.shape(), &b.shape()}));
  const Shape& shape = broadcast.shape();
  PBATCH_ASSIGN_OR_RETURN(args.a_index, index_of(build, a.shape(), shape, broadcast, 0));
  PBATCH_ASSIGN_OR_RETURN(args.b_index, index_of(build, b.shape(), shape, broadcast, 1));
  PBATCH_ASSIGN_OR_RETURN(outputs[0].device, build.allocate(DType::f32, shape));
  args.count = broadcast.size();
  args.a = a.data<float>();
  args.b = b.data<float>();
  args.y = outputs[0].device->data<float>();
  build.add(
      [args](Accelerator& device, Stream stream) { return device.elementwise(args, stream); });
  return Status::ok();
}

}  // namespace pbatch
