// Matrices and products of a device, on the emulated one: what is uploaded, cut and queued gives
// the bits of the reference, and errors lose nothing.
#include <gtest/gtest.h>

#include <bit>

#include "tests/cuda/device_check.h"
#include "tests/cuda/emulated_device.h"
#include "tests/kernel/time_box.h"

namespace pbatch::testing {
namespace {

void expect_bits_of_reference(const std::vector<float>& got, const std::vector<float>& want) {
  ASSERT_EQ(got.size(), want.size());
  for (std::size_t i = 0; i < want.size(); ++i) {
    ASSERT_EQ(std::bit_cast<std::uint32_t>(got[i]), std::bit_cast<std::uint32_t>(want[i])) << i;
  }
}

DeviceLayer small_layer(std::mt19937_64& rng, std::int64_t rows, std::int64_t cols) {
  DeviceLayer layer;
  layer.rows = rows;
  layer.cols = cols;
  layer.run_blocks = 1 << (rng() % 3);
  layer.weight_bits = 1 + static_cast<int>(rng() % 16);
  layer.activation_bits = 8 << (rng() % 3);
  fill(layer, rng);
  return layer;
}

TEST(DeviceProduct, HasTheBitsOfTheReferenceHoweverItIsCut) {
  std::mt19937_64 rng(kSeed);
  for (TimeBox box(4); box.next();) {
    for (const int processors : {1, 16, 132}) {
      for (const cuda::Method method :
           {cuda::Method::bits, cuda::Method::bytes, cuda::Method::gemm}) {
        DeviceLayer layer = small_layer(rng, 1 + static_cast<std::int64_t>(rng() % 40),
                                        1 + static_cast<std::int64_t>(rng() % 9000));
        layer.batch = 1 + static_cast<std::int64_t>(rng() % 8);
        layer.has_bias = rng() % 2 != 0;
        fill(layer, rng);
        const auto device = std::make_shared<EmulatedDevice>(80, processors);
        const auto got = product_on_device(layer, method, device);
        ASSERT_TRUE(got.is_ok()) << got.status().to_line();
        expect_bits_of_reference(*got, product_of(layer, "words_generic"));
        EXPECT_EQ(device->held(), 0);
        if (::testing::Test::HasFatalFailure()) return;
      }
    }
  }
}

TEST(DeviceProduct, OfSomeRowsIsThatPartOfAll) {
  std::mt19937_64 rng(kSeed);
  const DeviceLayer layer = small_layer(rng, 75, 700);
  const std::vector<float> all = product_of(layer);
  const auto device = std::make_shared<EmulatedDevice>();
  auto matrix = upload(device, layer);
  ASSERT_TRUE(matrix.is_ok());
  auto flag = DeviceBuffer::zeros(device, 4);
  auto x = DeviceBuffer::copy_of(device, layer.x.data(), layer.cols * 4);
  for (const std::int64_t first : {0, 2, 4}) {
    for (const std::int64_t blocks : {std::int64_t{1}, 5 - first}) {
      ProductSettings settings{layer.weight_bits, layer.activation_bits};
      settings.first_block = first;
      settings.blocks = blocks;
      auto product =
          cuda::Product::create(*matrix, settings, cuda::Method::bits, flag->as<std::uint32_t>());
      ASSERT_TRUE(product.is_ok());
      const std::int64_t rows = std::min<std::int64_t>(75 - 16 * first, 16 * blocks);
      ASSERT_EQ(product->rows(), rows);
      auto y = DeviceBuffer::zeros(device, rows * 4);
      ASSERT_TRUE(product->quantize(x->as<float>(), layer.cols, nullptr).is_ok());
      ASSERT_TRUE(product->multiply({y->as<float>(), rows, nullptr}, nullptr).is_ok());
      std::vector<float> got(static_cast<std::size_t>(rows));
      ASSERT_TRUE(device->copy_to_host(got.data(), y->as<void>(), rows * 4).is_ok());
      expect_bits_of_reference(got, {all.begin() + first * 16, all.begin() + first * 16 + rows});
    }
  }
}

TEST(DeviceProduct, SaysThatAVectorIsNotFinite) {
  std::mt19937_64 rng(kSeed);
  DeviceLayer layer = small_layer(rng, 20, 300);
  layer.x[123] = std::numeric_limits<float>::infinity();
  const auto got = product_on_device(layer, cuda::Method::bits, std::make_shared<EmulatedDevice>());
  ASSERT_FALSE(got.is_ok());
  EXPECT_EQ(got.status().code(), ErrorCode::not_finite);
}

TEST(DeviceProduct, GivesBackWhatItHasAfterEveryPossibleFailure) {
  std::mt19937_64 rng(kSeed);
  const DeviceLayer layer = small_layer(rng, 40, 3000);
  const auto device = std::make_shared<EmulatedDevice>(80, 132);
  bool passed = false;
  for (int calls = 0; !passed; ++calls) {
    ASSERT_LT(calls, 1000);
    device->fail_after(calls);
    passed = product_on_device(layer, cuda::Method::bits, device).is_ok();
    EXPECT_EQ(device->held(), 0) << "failure of call " << calls;
  }
}

}  // namespace
}  // namespace pbatch::testing
