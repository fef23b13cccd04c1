// On a device, where there is one.
#include <gtest/gtest.h>

#include <bit>
#include <limits>

#include "tests/cuda/device_check.h"
#include "tests/kernel/time_box.h"

namespace pbatch::testing {
namespace {

#define OPEN_DEVICE_OR_SKIP(device)                                          \
  const Result<std::shared_ptr<cuda::Device>> opened = cuda::open_device(0); \
  if (!opened.is_ok()) GTEST_SKIP() << opened.status().to_line();            \
  const std::shared_ptr<cuda::Device> device = *opened

void compare_with_reference(cuda::Method method, const std::shared_ptr<cuda::Device>& device) {
  std::mt19937_64 rng(kSeed);
  for (TimeBox box(1); box.next();) {
    for (int weight_bits = 1; weight_bits <= 16; ++weight_bits) {
      for (const int activation_bits : {8, 16, 32}) {
        const DeviceLayer layer = random_device_layer(rng, weight_bits, activation_bits, method);
        Result<std::vector<float>> got = product_on_device(layer, method, device);
        ASSERT_TRUE(got.is_ok()) << got.status().to_line();
        const std::vector<float> want = product_of(layer, "words_generic");
        ASSERT_EQ(got->size(), want.size());
        for (std::size_t i = 0; i < want.size(); ++i) {
          ASSERT_EQ(std::bit_cast<std::uint32_t>((*got)[i]), std::bit_cast<std::uint32_t>(want[i]))
              << "y[" << i << "], " << layer.rows << " x " << layer.cols << ", batch "
              << layer.batch << ", " << weight_bits << " weight bits, " << activation_bits
              << " activation bits, runs of " << 32 * layer.run_blocks;
        }
      }
    }
  }
}

TEST(CudaDevice, OnBitsHasTheBitsOfTheCpu) {
  OPEN_DEVICE_OR_SKIP(device);
  if (!cuda::has_bit_unit(device->limits())) GTEST_SKIP() << "no unit for bits";
  compare_with_reference(cuda::Method::bits, device);
}

TEST(CudaDevice, OnBytesHasTheBitsOfTheCpu) {
  OPEN_DEVICE_OR_SKIP(device);
  compare_with_reference(cuda::Method::bytes, device);
}

TEST(CudaDevice, OfLargerBatchesHasTheBitsOfTheCpu) {
  OPEN_DEVICE_OR_SKIP(device);
  compare_with_reference(cuda::Method::gemm, device);
}

TEST(CudaDevice, FindsWhatIsNotFinite) {
  OPEN_DEVICE_OR_SKIP(device);
  std::mt19937_64 rng(kSeed);
  DeviceLayer layer = random_device_layer(rng, 4, 16, cuda::Method::bits);
  layer.x[layer.x.size() / 2] = std::numeric_limits<float>::quiet_NaN();
  const auto got = product_on_device(layer, cuda::Method::bytes, device);
  ASSERT_FALSE(got.is_ok());
  EXPECT_EQ(got.status().code(), ErrorCode::not_finite);
}

TEST(CudaDevice, SaysWhenItsMemoryIsFull) {
  OPEN_DEVICE_OR_SKIP(device);
  const Result<void*> memory = device->allocate(std::int64_t{1} << 50);
  ASSERT_FALSE(memory.is_ok());
  EXPECT_EQ(memory.status().code(), ErrorCode::out_of_memory);
  // And goes on.
  std::mt19937_64 rng(kSeed);
  const cuda::Method method = cuda::Method::bytes;
  EXPECT_TRUE(product_on_device(random_device_layer(rng, 4, 8, method), method, device).is_ok());
}

TEST(CudaDevice, IsAbsentByName) {
  const auto device = cuda::open_device(1000);
  ASSERT_FALSE(device.is_ok());
  EXPECT_EQ(device.status().code(), ErrorCode::unsupported);
  EXPECT_FALSE(device.status().remedy().empty());
}

}  // namespace
}  // namespace pbatch::testing
