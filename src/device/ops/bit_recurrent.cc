// pbatch.BitRecurrent, as op/recurrent/bit_recurrent.cc has it and to its bits.
#include "device/ops/bit_products.h"
#include "device/ops/recurrent_steps.h"

namespace pbatch {

Status build_bit_recurrent(DeviceBuild& build, const Node& node, std::span<const BuildValue> inputs,
                           std::span<BuildValue> outputs) {
  PBATCH_ASSIGN_OR_RETURN(const DeviceMatrix* matrix, matrix_of(build, node));
  const MakeRecurrentPart make_part = [&](std::int64_t first, std::int64_t blocks,
                                          std::int64_t batch) -> Result<RecurrentPart> {
    PBATCH_ASSIGN_OR_RETURN(const DeviceProduct* product,
                            make_product(build, *matrix, batch, first, blocks));
    RecurrentPart part;
    part.quantizer = product;
    part.multiply = [product](const float*, std::int64_t, float* y,
                              std::int64_t ldy) -> DeviceBuild::Work {
      return [=](Accelerator&, Stream stream) {
        return product->multiply({y, ldy, nullptr}, stream);
      };
    };
    return part;
  };
  return build_steps(build, node, /*first_optional=*/1, inputs, outputs, make_part);
}

}  // namespace pbatch
