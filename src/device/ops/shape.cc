// Shape and Size: known as soon as the shape is, which is when the run is built.
#include "device/device_op.h"

namespace pbatch {

Status build_shape(DeviceBuild& build, const Node&, std::span<const BuildValue> inputs,
                   std::span<BuildValue> outputs) {
  // The host's operator looks at nothing but the shape.
  const Tensor* const input[] = {&inputs[0].device->as_host_view()};
  Tensor made[1];
  PBATCH_RETURN_IF_ERROR(build.op().run(build.host(), input, made));
  outputs[0].host = std::move(made[0]);
  return Status::ok();
}

}  // namespace pbatch
