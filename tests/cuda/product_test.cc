// The code of the kernels, run by emulated warps, gives the bits of the CPU's reference.
#include <gtest/gtest.h>

#include <bit>

#include "tests/cuda/emulated_product.h"
#include "tests/kernel/time_box.h"

namespace pbatch::testing {
namespace {

void expect_same_bits(const std::vector<float>& got, const std::vector<float>& want,
                      const DeviceLayer& layer) {
  ASSERT_EQ(got.size(), want.size());
  for (std::size_t i = 0; i < want.size(); ++i) {
    ASSERT_EQ(std::bit_cast<std::uint32_t>(got[i]), std::bit_cast<std::uint32_t>(want[i]))
        << "y[" << i << "] " << got[i] << " for " << want[i] << ": " << layer.rows << " x "
        << layer.cols << ", batch " << layer.batch << ", " << layer.weight_bits << " weight bits, "
        << layer.activation_bits << " activation bits, runs of " << 32 * layer.run_blocks;
  }
}

DeviceLayer random_layer(std::mt19937_64& rng) {
  DeviceLayer layer;
  layer.rows = 1 + static_cast<std::int64_t>(rng() % 40);
  layer.cols = 1 + static_cast<std::int64_t>(rng() % 1500);
  layer.batch = 1 + static_cast<std::int64_t>(rng() % 3 == 0 ? rng() % 8 : 0);
  layer.run_blocks = 1 << (rng() % 3);
  layer.has_bias = rng() % 2 != 0;
  layer.activation = rng() % 2 != 0 ? Activation::relu : Activation::none;
  return layer;
}

Cut random_cut(std::mt19937_64& rng) { return {1 << (rng() % 4), 1 + static_cast<int>(rng() % 3)}; }

template <template <int, int, int> class Kernel>
void compare_all_widths(std::int64_t max_batch = cuda::kMaxBatch) {
  std::mt19937_64 rng(kSeed);
  for (TimeBox box(2); box.next();) {
    for (int weight_bits = 1; weight_bits <= 16; ++weight_bits) {
      for (const int activation_bits : {8, 16, 32}) {
        DeviceLayer layer = random_layer(rng);
        if (layer.batch > 1)
          layer.batch =
              1 + static_cast<std::int64_t>(rng() % static_cast<std::uint64_t>(max_batch));
        layer.weight_bits = weight_bits;
        layer.activation_bits = activation_bits;
        fill(layer, rng);
        expect_same_bits(product_emulated<Kernel>(layer, random_cut(rng), rng), product_of(layer),
                         layer);
        if (::testing::Test::HasFatalFailure()) return;
      }
    }
  }
}

TEST(CudaProduct, OnBitsIsTheReference) { compare_all_widths<Bits>(); }

TEST(CudaProduct, OnBitsByXorIsTheReference) { compare_all_widths<BitsByXor>(); }

TEST(CudaProduct, OnBytesIsTheReference) { compare_all_widths<Bytes>(); }

TEST(CudaProduct, OfLargerBatchesIsTheReference) { compare_all_widths<Gemm>(70); }

// Largest sums: all weights and activations at their ends, whole runs of 128.
TEST(CudaProduct, HoldsAtTheBoundOfTheAccumulator) {
  std::mt19937_64 rng(kSeed);
  for (const int activation_bits : {8, 16, 32}) {
    for (const bool top : {false, true}) {
      DeviceLayer layer;
      layer.rows = 16;
      layer.cols = 512;
      layer.weight_bits = 8;
      layer.activation_bits = activation_bits;
      layer.run_blocks = 4;
      fill(layer, rng);
      for (auto& code : layer.codes) code = top ? 255 : 0;
      for (std::size_t c = 0; c < layer.x.size(); ++c) layer.x[c] = c < 256 ? 1.0f : -1.0f;
      expect_same_bits(product_emulated<Bits>(layer, {2, 1}, rng), product_of(layer), layer);
      expect_same_bits(product_emulated<BitsByXor>(layer, {2, 1}, rng), product_of(layer), layer);
      expect_same_bits(product_emulated<Bytes>(layer, {2, 1}, rng), product_of(layer), layer);
    }
  }
}

}  // namespace
}  // namespace pbatch::testing
