// pbatch.BitRecurrent, as op/recurrent/bit_recurrent.cc has it and to its bits.
#include "device/ops/bit_products.h"
#include "device/ops/recurrent_steps.h"

namespace pbatch {

Status build_bit_recurrent(DeviceBuild& build, const Node& node, std::span<const BuildValue> inputs,
                           std::span<BuildValue> outputs) {
  PBATCH_ASSIGN_OR_RETURN(const cuda::DeviceMatrix* matrix, matrix_of(build, node));
  const MakeRecurrentPart make_part = [&](std::int64_t first, std::int64_t blocks,
                                          std::int64_t batch) -> Result<RecurrentPart> {
    cuda::ProductSettings settings = settings_for(build, *matrix, batch);
    settings.first_block = first;
    settings.blocks = blocks;
    PBATCH_ASSIGN_OR_RETURN(cuda::DeviceProduct made,
                            cuda::DeviceProduct::create(*matrix, settings, build.flag()));
    const cuda::DeviceProduct* const product = build.keep(std::move(made));
    RecurrentPart part;
    part.method = settings.method;
    part.quantize = [product](const float* x, std::int64_t ldx) {
      return std::optional(product->quantize_args(x, ldx));
    };
    part.multiply = [product](const float*, std::int64_t, float* y,
                              std::int64_t ldy) -> DeviceBuild::Work {
      return [=](cuda::Device&, cuda::Stream stream) {
        return product->multiply({y, ldy, nullptr}, stream);
      };
    };
    return part;
  };
  return build_steps(build, node, /*first_optional=*/1, inputs, outputs, make_part);
}

}  // namespace pbatch
