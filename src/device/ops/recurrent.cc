// pbatch.Recurrent: a small layer that stays float.
#include "device/ops/recurrent_steps.h"

namespace pbatch {

Status build_recurrent(DeviceBuild& build, const Node& node, std::span<const BuildValue> inputs,
                       std::span<BuildValue> outputs) {
  const Tensor& r = *inputs[1].host;  // a constant [hidden][rows]: the host's operator checks it
  const std::int64_t hidden = r.dim(0);
  PBATCH_ASSIGN_OR_RETURN(
      const DeviceTensor weights,
      build.weights().constant(r, "transposed " + shape_to_string(r.shape()), transposed));
  build.step().rows = r.dim(1);
  build.step().cols = hidden;
  const MakeRecurrentPart make_part = [&](std::int64_t first, std::int64_t blocks,
                                          std::int64_t batch) -> Result<RecurrentPart> {
    FloatProductArgs args = {};
    args.w = weights.data<float>() + first * kTileUnits * hidden;
    args.rows = blocks * kTileUnits;
    args.cols = hidden;
    args.batch = batch;
    RecurrentPart part;
    part.multiply = [args](const float* x, std::int64_t ldx, float* y,
                           std::int64_t ldy) -> DeviceBuild::Work {
      FloatProductArgs call = args;
      call.x = x;
      call.ldx = ldx;
      call.y = y;
      call.ldy = ldy;
      return [call](Accelerator& device, Stream stream) {
        return device.multiply_floats(call, stream);
      };
    };
    return part;
  };
  return build_steps(build, node, /*first_optional=*/2, inputs, outputs, make_part);
}

}  // namespace pbatch
