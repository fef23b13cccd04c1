#include <bit>
#include <chrono>

#include "bench/gpu/parts.h"
#include "tests/cuda/device_check.h"

namespace pbatch::bench {
namespace {

Status compare(const testing::DeviceLayer& layer, cuda::Method method,
               const std::shared_ptr<cuda::Device>& device) {
  PBATCH_ASSIGN_OR_RETURN(const std::vector<float> got,
                          testing::product_on_device(layer, method, device));
  const std::vector<float> want = testing::product_of(layer, "words_generic");
  for (std::size_t i = 0; i < want.size(); ++i) {
    if (std::bit_cast<std::uint32_t>(got[i]) == std::bit_cast<std::uint32_t>(want[i])) continue;
    return {ErrorCode::internal,
            "y[" + std::to_string(i) + "] is " + std::to_string(got[i]) + " for " +
                std::to_string(want[i]) + ", " + std::to_string(layer.rows) + " x " +
                std::to_string(layer.cols) + ", batch " + std::to_string(layer.batch) + ", " +
                std::to_string(layer.weight_bits) + " weight bits, " +
                std::to_string(layer.activation_bits) + " activation bits, runs of " +
                std::to_string(32 * layer.run_blocks) + ", method " +
                std::to_string(static_cast<int>(method))};
  }
  return Status::ok();
}

}  // namespace

Result<int> check_products(const std::shared_ptr<cuda::Device>& device, double seconds) {
  std::mt19937_64 rng(20030822);
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  int agreed = 0;
  do {
    for (int weight_bits = 1; weight_bits <= 16; ++weight_bits) {
      for (const int activation_bits : {8, 16, 32}) {
        for (const cuda::Method method :
             {cuda::Method::bits, cuda::Method::bytes, cuda::Method::gemm}) {
          if (method == cuda::Method::bits && !cuda::has_bit_unit(device->limits())) continue;
          const testing::DeviceLayer layer =
              testing::random_device_layer(rng, weight_bits, activation_bits, method);
          PBATCH_RETURN_IF_ERROR(compare(layer, method, device));
          ++agreed;
        }
      }
    }
  } while (std::chrono::steady_clock::now() < end);
  return agreed;
}

}  // namespace pbatch::bench
