#include "device/ops/bit_products.h"

#include <algorithm>

#include "device/device_op.h"
#include "op/bits/bit_weights.h"

namespace pbatch {
namespace {

// Vectors of one product: what takes little memory and fills any device.
constexpr std::int64_t kVectors = 4096;

const char* name_of(cuda::Method method) {
  switch (method) {
    case cuda::Method::bits:
      return "cuda_bits";
    case cuda::Method::bytes:
      return "cuda_bytes";
    case cuda::Method::gemm:
      break;
  }
  return "cuda_gemm";
}

}  // namespace

Result<const cuda::DeviceMatrix*> matrix_of(DeviceBuild& build, const Node& node) {
  const int bits = build.precision().weight_bits;
  if (bits == 32) return only_on_the_cpu("float weights of a quantized network are multiplied");
  PBATCH_ASSIGN_OR_RETURN(const cuda::DeviceMatrix* matrix, build.weights().matrix(node, bits));
  PlanStep& step = build.step();
  step.rows = matrix->rows();
  step.cols = matrix->cols();
  step.weight_bits = bits;
  step.activation_bits = build.precision().activation_bits;
  step.weight_bytes = stored_bytes(*node.matrix, bits);
  step.repack = "planes to the GPU's lanes";
  return matrix;
}

cuda::ProductSettings settings_for(DeviceBuild& build, const cuda::DeviceMatrix& matrix,
                                   std::int64_t batch) {
  cuda::ProductSettings settings;
  settings.weight_bits = build.precision().weight_bits;
  settings.activation_bits = build.precision().activation_bits;
  settings.batch = static_cast<int>(batch);
  settings.method =
      cuda::choose_method({matrix.rows(), matrix.cols(), matrix.run_blocks(), settings.weight_bits,
                           settings.activation_bits, settings.batch},
                          build.device()->limits());
  build.step().kernel = name_of(settings.method);
  return settings;
}

Status add_bit_products(DeviceBuild& build, const cuda::DeviceMatrix& matrix, const float* x,
                        std::int64_t batch, const cuda::ProductOutput& out) {
  build.step().macs = matrix.rows() * matrix.cols() * batch;
  const cuda::DeviceProduct* product = nullptr;
  for (std::int64_t first = 0, count = 0; first < batch; first += count) {
    const std::int64_t wanted = std::min(kVectors, batch - first);
    if (wanted != count) {  // at first, and for what is left over
      PBATCH_ASSIGN_OR_RETURN(
          cuda::DeviceProduct made,
          cuda::DeviceProduct::create(matrix, settings_for(build, matrix, wanted), build.flag()));
      product = build.keep(std::move(made));
      count = wanted;
    }
    const float* const from = x + first * matrix.cols();
    cuda::ProductOutput to = out;
    to.y += first * out.ldy;
    build.add([product, from, to, ldx = matrix.cols()](cuda::Device&, cuda::Stream stream) {
      PBATCH_RETURN_IF_ERROR(product->quantize(from, ldx, stream));
      return product->multiply(to, stream);
    });
  }
  return Status::ok();
}

}  // namespace pbatch
