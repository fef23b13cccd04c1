#include "device/ops/bit_products.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "device/device_op.h"
#include "op/bits/bit_weights.h"

namespace pbatch {
namespace {

// Vectors of one product: what takes little memory and fills any device.
constexpr std::int64_t kVectors = 4096;

}  // namespace

Result<const DeviceMatrix*> matrix_of(DeviceBuild& build, const Node& node) {
  const int bits = build.precision().weight_bits;
  if (bits == 32) return only_on_the_cpu("float weights of a quantized network are multiplied");
  PBATCH_ASSIGN_OR_RETURN(const DeviceMatrix* matrix, build.weights().matrix(node, bits));
  PlanStep& step = build.step();
  step.rows = matrix->rows();
  step.cols = matrix->cols();
  step.weight_bits = bits;
  step.activation_bits = build.precision().activation_bits;
  step.weight_bytes = stored_bytes(*node.matrix, bits);
  step.repack = matrix->repack();
  return matrix;
}

Result<const DeviceProduct*> make_product(DeviceBuild& build, const DeviceMatrix& matrix,
                                          std::int64_t batch, std::int64_t first,
                                          std::int64_t blocks) {
  ProductSettings settings;
  settings.weight_bits = build.precision().weight_bits;
  settings.activation_bits = build.precision().activation_bits;
  settings.batch = static_cast<int>(batch);
  settings.first_block = first;
  settings.blocks = blocks;
  PBATCH_ASSIGN_OR_RETURN(std::unique_ptr<DeviceProduct> made,
                          build.device()->create_product(matrix, settings, build.flag()));
  build.step().kernel = made->kernel();
  return static_cast<const DeviceProduct*>(build.keep(std::move(made))->get());
}

Status add_bit_products(DeviceBuild& build, const DeviceMatrix& matrix, const float* x,
                        std::int64_t batch, const ProductOutput& out) {
  build.step().macs = matrix.rows() * matrix.cols() * batch;
  const DeviceProduct* product = nullptr;
  for (std::int64_t first = 0, count = 0; first < batch; first += count) {
    const std::int64_t wanted = std::min(kVectors, batch - first);
    if (wanted != count) {  // at first, and for what is left over
      PBATCH_ASSIGN_OR_RETURN(product, make_product(build, matrix, wanted));
      count = wanted;
    }
    const float* const from = x + first * matrix.cols();
    ProductOutput to = out;
    to.y += first * out.ldy;
    build.add([product, from, to, ldx = matrix.cols()](Accelerator&, Stream stream) {
      PBATCH_RETURN_IF_ERROR(product->quantize(from, ldx, stream));
      return product->multiply(to, stream);
    });
  }
  return Status::ok();
}

}  // namespace pbatch
