// The kernels' launches, a file each, which CudaDevice is made of. See Device for what they do.
#pragma once

#include "cuda/device.h"

namespace pbatch::cuda {

Status launch_repack_plane(const std::uint8_t* plane, std::int64_t row_blocks,
                           std::int64_t col_blocks, std::uint32_t* out, Stream stream);
Status launch_quantize(const QuantizeArgs& args, Method method, Stream stream);
Status launch_product(const ProductArgs& args, const ProductPlan& plan, Stream stream);
Status launch_float_product(const FloatProductArgs& args, Stream stream);
Status launch_step(const StepArgs& args, Stream stream);
Status launch_gather_rows(const GatherArgs& args, Stream stream);
Status launch_elementwise(const ElementwiseArgs& args, Stream stream);
Status launch_move(const MoveArgs& args, Stream stream);
Status launch_softmax(const SoftmaxArgs& args, Stream stream);

}  // namespace pbatch::cuda
