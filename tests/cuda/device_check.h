// Products of a layer on a device, to compare with the reference. Knows nothing of a test
// framework, so that bench/gpu checks with it too.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "cuda/product.h"
#include "tests/cuda/layer.h"

namespace pbatch::testing {

inline Result<cuda::Matrix> upload(std::shared_ptr<cuda::Device> device, const DeviceLayer& layer) {
  const auto planes = planes_of(layer);
  std::vector<const std::uint8_t*> pointers;
  for (const auto& plane : planes) pointers.push_back(plane.data());
  PBATCH_ASSIGN_OR_RETURN(
      cuda::Matrix matrix,
      cuda::Matrix::create(std::move(device),
                           {layer.rows, layer.cols, layer.run_blocks, layer.weight_bits},
                           layer.row_scale.data()));
  PBATCH_RETURN_IF_ERROR(matrix.add_planes(pointers));
  PBATCH_RETURN_IF_ERROR(matrix.add_scales(layer.weight_bits, layer.scales.data()));
  return matrix;
}

inline constexpr float kUntouchedOnDevice = -12345.0f;

/// y, [batch][rows]. internal: the device wrote where no row is. not_finite: it said so.
inline Result<std::vector<float>> product_on_device(const DeviceLayer& layer, cuda::Method method,
                                                    const std::shared_ptr<cuda::Device>& device) {
  PBATCH_ASSIGN_OR_RETURN(const cuda::Matrix matrix, upload(device, layer));
  PBATCH_ASSIGN_OR_RETURN(const DeviceBuffer flag, DeviceBuffer::zeros(device, 4));
  const ProductSettings settings{layer.weight_bits, layer.activation_bits,
                                 static_cast<int>(layer.batch)};
  PBATCH_ASSIGN_OR_RETURN(
      const cuda::Product product,
      cuda::Product::create(matrix, settings, method, flag.as<std::uint32_t>()));
  const std::int64_t ldy = layer.rows + 3;
  std::vector<float> y(static_cast<std::size_t>(layer.batch * ldy), kUntouchedOnDevice);
  const auto copy_of = [&](const std::vector<float>& v) {
    return DeviceBuffer::copy_of(device, v.data(),
                                 static_cast<std::int64_t>(v.size() * sizeof(float)));
  };
  PBATCH_ASSIGN_OR_RETURN(const DeviceBuffer x_there, copy_of(layer.x));
  PBATCH_ASSIGN_OR_RETURN(const DeviceBuffer y_there, copy_of(y));
  DeviceBuffer bias;
  if (layer.has_bias) {
    PBATCH_ASSIGN_OR_RETURN(bias, copy_of(layer.bias));
  }
  // Twice: the second run finds counters as the first has left them.
  for (int round = 0; round < 2; ++round) {
    PBATCH_RETURN_IF_ERROR(product.quantize(x_there.as<float>(), layer.cols, nullptr));
    PBATCH_RETURN_IF_ERROR(
        product.multiply({y_there.as<float>(), ldy, bias.as<float>(), layer.activation}, nullptr));
    PBATCH_RETURN_IF_ERROR(device->synchronize(nullptr));
  }
  std::uint32_t found = 0;
  PBATCH_RETURN_IF_ERROR(device->copy_to_host(&found, flag.as<void>(), sizeof found));
  if (found != 0) return Status(ErrorCode::not_finite, "a vector is not finite");
  PBATCH_RETURN_IF_ERROR(device->copy_to_host(y.data(), y_there.as<void>(), y_there.bytes()));
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
