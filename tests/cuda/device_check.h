// Products of a layer on a device, to compare with the reference. Knows nothing of a test
// framework, so that bench/gpu checks with it too.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "cuda/device_product.h"
#include "tests/cuda/layer.h"

namespace pbatch::testing {

inline Result<cuda::DeviceMatrix> upload(const DeviceLayer& layer) {
  const auto planes = planes_of(layer);
  std::vector<const std::uint8_t*> pointers;
  for (const auto& plane : planes) pointers.push_back(plane.data());
  PBATCH_ASSIGN_OR_RETURN(cuda::DeviceMatrix matrix,
                          cuda::DeviceMatrix::upload(layer.rows, layer.cols, layer.run_blocks,
                                                     pointers, layer.row_scale.data()));
  PBATCH_RETURN_IF_ERROR(matrix.add_scales(layer.weight_bits, layer.scales.data()));
  return matrix;
}

inline constexpr float kUntouchedOnDevice = -12345.0f;

/// y, [batch][rows]. internal: the device
/// wrote where no row is.
inline Result<std::vector<float>> product_on_device(const DeviceLayer& layer, cuda::Method method,
                                                    const cuda::DeviceLimits& device) {
  PBATCH_ASSIGN_OR_RETURN(const cuda::DeviceMatrix matrix, upload(layer));
  PBATCH_ASSIGN_OR_RETURN(
      cuda::DeviceProduct product,
      cuda::DeviceProduct::create(matrix, layer.weight_bits, layer.activation_bits,
                                  static_cast<int>(layer.batch), method, device));
  const std::int64_t ldy = layer.rows + 3;
  std::vector<float> y(static_cast<std::size_t>(layer.batch * ldy), kUntouchedOnDevice);
  const auto bytes = [](const std::vector<float>& v) {
    return static_cast<std::int64_t>(v.size() * sizeof(float));
  };
  PBATCH_ASSIGN_OR_RETURN(const cuda::DeviceBuffer x_there,
                          cuda::DeviceBuffer::copy_of(layer.x.data(), bytes(layer.x)));
  PBATCH_ASSIGN_OR_RETURN(const cuda::DeviceBuffer y_there,
                          cuda::DeviceBuffer::copy_of(y.data(), bytes(y)));
  cuda::DeviceBuffer bias;
  if (layer.has_bias) {
    PBATCH_ASSIGN_OR_RETURN(bias,
                            cuda::DeviceBuffer::copy_of(layer.bias.data(), bytes(layer.bias)));
  }
  const auto count = static_cast<int>(layer.batch);
  // Twice: the second run finds counters and flags as the first has left them.
  for (int round = 0; round < 2; ++round) {
    PBATCH_RETURN_IF_ERROR(product.quantize(x_there.as<float>(), layer.cols, count, nullptr));
    PBATCH_RETURN_IF_ERROR(product.multiply(
        {y_there.as<float>(), ldy, bias.as<float>(), layer.activation}, count, nullptr));
    PBATCH_RETURN_IF_ERROR(product.finish(nullptr));
  }
  PBATCH_RETURN_IF_ERROR(cuda::copy_to_host(y.data(), y_there.as<void>(), bytes(y)));
  std::vector<float> out;
  for (std::int64_t v = 0; v < layer.batch; ++v) {
    const auto row = y.begin() + v * ldy;
    out.insert(out.end(), row, row + layer.rows);
    if (std::any_of(row + layer.rows, row + ldy, [](float f) { return f != kUntouchedOnDevice; })) {
      return Status(ErrorCode::internal, "the device wrote beyond the rows");
    }
  }
  return out;
}

/// A random layer of one of the shapes that differ for the kernels: few and many rows, columns that
/// fill no slab, columns that several blocks share.
inline DeviceLayer random_device_layer(std::mt19937_64& rng, int weight_bits, int activation_bits,
                                       cuda::Method method) {
  DeviceLayer layer;
  layer.rows = 1 + static_cast<std::int64_t>(rng() % 200);
  layer.cols = 1 + static_cast<std::int64_t>(rng() % (rng() % 4 == 0 ? 20000 : 3000));
  const std::uint64_t most = method == cuda::Method::gemm ? 150 : cuda::kMaxBatch;
  layer.batch = 1 + static_cast<std::int64_t>(rng() % 2 == 0 ? rng() % most : 0);
  layer.run_blocks = 1 << (rng() % 3);
  layer.weight_bits = weight_bits;
  layer.activation_bits = activation_bits;
  layer.has_bias = rng() % 2 != 0;
  layer.activation = rng() % 2 != 0 ? Activation::relu : Activation::none;
  fill(layer, rng);
  return layer;
}

}  // namespace pbatch::testing
