// The device's quantizer, emulated, gives the bits of the CPU's.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "tests/cuda/emulated_product.h"
#include "tests/kernel/layouts.h"
#include "tests/kernel/time_box.h"

namespace pbatch::testing {
namespace {

// kActivationDigits, padded to whole slabs.
void expect_digits(const DeviceLayer& layer, std::vector<std::int32_t> q,
                   const std::uint32_t* words) {
  q.resize(static_cast<std::size_t>(cuda::slabs_of(layer.col_blocks()) * cuda::kSlabCols));
  const std::vector<std::uint8_t> want = packed(q, kActivationDigits, layer.activation_bits);
  ASSERT_EQ(std::memcmp(words, want.data(), want.size()), 0);
}

void expect_the_cpus(const DeviceLayer& layer) {
  const std::int64_t slabs = cuda::slabs_of(layer.col_blocks());
  const int bits = layer.activation_bits, halves = activation_halves(bits);
  const int tiles = cuda::activation_tiles(bits), runs = cuda::slab_runs(layer.run_blocks);
  EmulatedVectors bytes = quantize_emulated(layer, slabs, cuda::Method::bytes);
  EmulatedVectors got = quantize_emulated(layer, slabs, cuda::Method::bits);
  ASSERT_TRUE(got.is_finite);
  for (std::int64_t v = 0; v < layer.batch; ++v) {
    const Quantized want = quantized(layer, v);
    ASSERT_EQ(std::bit_cast<std::uint32_t>(got.scales[v]),
              std::bit_cast<std::uint32_t>(want.scale));
    ASSERT_EQ(bytes.scales[v], got.scales[v]);
    expect_digits(layer, want.q, bytes.words.data() + v * cuda::activation_words(slabs, bits));
    for (int half = 0; half < halves; ++half) {
      for (std::int64_t run = 0; run < slabs * runs; ++run) {
        ASSERT_EQ(bytes.run_sums[(v * halves + half) * slabs * runs + run],
                  got.run_sums[(v * halves + half) * slabs * runs + run]);
        ASSERT_EQ(got.run_sums[(v * halves + half) * slabs * runs + run],
                  run < layer.runs()
                      ? want.run_sums[static_cast<std::size_t>(half * layer.runs() + run)]
                      : 0);
      }
      for (std::int64_t c = 0; c < slabs * cuda::kSlabCols; ++c) {
        const std::int32_t q =
            c < layer.cols ? half_of(want.q[static_cast<std::size_t>(c)], half, bits) : 0;
        const cuda::ColumnPlace place = cuda::column_place(static_cast<int>(c % cuda::kSlabCols));
        for (int bit = 0; bit < 8 * tiles; ++bit) {
          const std::int64_t word = cuda::activation_word(slabs, half, c / cuda::kSlabCols,
                                                          bit % 8 * 4 + place.t, tiles) +
                                    bit / 8 * 2 + place.j;
          ASSERT_EQ(got.words[v * cuda::activation_words(slabs, bits) + word] >> place.bit & 1,
                    static_cast<std::uint32_t>(q) >> bit & 1)
              << "column " << c << " bit " << bit << " half " << half;
        }
      }
    }
  }
}

TEST(CudaQuantize, HasTheBitsOfTheCpus) {
  std::mt19937_64 rng(kSeed);
  for (TimeBox box(3); box.next();) {
    for (const int activation_bits : {8, 16, 32}) {
      for (const int run_blocks : {1, 2, 4}) {
        DeviceLayer layer;
        layer.cols = 1 + static_cast<std::int64_t>(rng() % 900);
        layer.batch = 2;
        layer.activation_bits = activation_bits;
        layer.run_blocks = run_blocks;
        fill(layer, rng);
        expect_the_cpus(layer);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST(CudaQuantize, HasTheBitsOfTheCpusAtTheEnds) {
  std::mt19937_64 rng(kSeed);
  for (const int activation_bits : {8, 16, 32}) {
    for (const float largest : {0.0f, 1e-45f, 0x1p-126f, 0x1.fffffep-91f, 0x1p-90f, 1.0f, 0x1p100f,
                                std::numeric_limits<float>::max()}) {
      DeviceLayer layer;
      layer.cols = 300;
      layer.activation_bits = activation_bits;
      fill(layer, rng);
      for (float& x : layer.x) x = largest * (static_cast<float>(rng() % 2001) / 1000.0f - 1.0f);
      layer.x[17] = -largest;
      // Halves, which round to even.
      for (std::size_t i = 20; i < 60; ++i) {
        layer.x[i] = largest / 254.0f * static_cast<float>(2 * i + 1);
      }
      expect_the_cpus(layer);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(CudaQuantize, FindsWhatIsNotFinite) {
  std::mt19937_64 rng(kSeed);
  for (const float bad : {std::nanf(""), -std::nanf(""), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()}) {
    DeviceLayer layer;
    layer.cols = 300;
    fill(layer, rng);
    layer.x[rng() % 300] = bad;
    EXPECT_FALSE(
        quantize_emulated(layer, cuda::slabs_of(layer.col_blocks()), cuda::Method::bits).is_finite);
  }
}

}  // namespace
}  // namespace pbatch::testing
