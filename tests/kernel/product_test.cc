// From floats to floats through quantizer, kernel and epilogue, against a plain matrix product of
// the dequantized numbers in doubles.
#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "kernel/epilogue.h"
#include "tests/kernel/problem.h"
#include "tests/kernel/time_box.h"

namespace pbatch::testing {
namespace {

struct Layer {
  std::int64_t rows, cols;
  int weight_bits, activation_bits, run_blocks;
  std::vector<std::uint16_t> codes;  // [rows][cols]
  std::vector<std::uint8_t> scales;  // [row_blocks][runs][16]
  std::vector<float> row_scale, bias, x;

  std::int64_t runs() const { return (col_blocks(cols) + run_blocks - 1) / run_blocks; }
  double weight(std::int64_t r, std::int64_t c) const {
    const std::int64_t run = c / (run_blocks * kBlockCols);
    const std::int64_t index = (r / kBlockRows * runs() + run) * kBlockRows + r % kBlockRows;
    const double level =
        2.0 * codes[static_cast<std::size_t>(r * cols + c)] - (std::ldexp(1.0, weight_bits) - 1);
    return static_cast<double>(row_scale[static_cast<std::size_t>(r)]) *
           scales[static_cast<std::size_t>(index)] * std::ldexp(level, -weight_bits);
  }
};

Layer random_layer(std::mt19937_64& rng, int weight_bits, int activation_bits) {
  std::normal_distribution<float> normal;
  Layer layer;
  layer.rows = 1 + static_cast<std::int64_t>(rng() % 60);
  layer.cols = 1 + static_cast<std::int64_t>(rng() % 400);
  layer.weight_bits = weight_bits;
  layer.activation_bits = activation_bits;
  layer.run_blocks = 1 << (rng() % 3);
  layer.codes.resize(static_cast<std::size_t>(layer.rows * layer.cols));
  for (auto& code : layer.codes) {
    code = static_cast<std::uint16_t>(rng() & ((1u << weight_bits) - 1));
  }
  layer.scales.resize(static_cast<std::size_t>(row_blocks(layer.rows) * layer.runs() * kBlockRows));
  for (auto& scale : layer.scales) scale = static_cast<std::uint8_t>(rng());
  for (std::int64_t r = 0; r < layer.rows; ++r) {
    layer.row_scale.push_back(std::fabs(normal(rng)) * 0.01f);
    layer.bias.push_back(normal(rng));
  }
  for (std::int64_t c = 0; c < layer.cols; ++c) layer.x.push_back(normal(rng));
  return layer;
}

// The codes of one digit: the first 8 planes, or those after them.
Problem digit_of(const Layer& layer, int digit, const std::vector<std::int32_t>& q) {
  const int n = layer.weight_bits;
  Problem p;
  const int planes = n <= 8 ? n : digit == 0 ? 8 : n - 8;
  p.shape = {layer.rows, layer.cols, 1, planes, layer.activation_bits, layer.run_blocks};
  for (const std::uint16_t code : layer.codes) {
    const int value = n <= 8 ? code : digit == 0 ? code >> (n - 8) : code & ((1 << (n - 8)) - 1);
    p.codes.push_back(static_cast<std::uint16_t>(value));
  }
  p.scales = layer.scales;
  p.q = q;
  return p;
}

class ProductTest : public ::testing::TestWithParam<const char*> {};

TEST_P(ProductTest, IsTheProductOfDequantizedNumbers) {
  const BitKernel* kernel = find_kernel(GetParam());
  ASSERT_NE(kernel, nullptr);
  if (!isa_runs_here(kernel->isa)) GTEST_SKIP() << "this CPU lacks " << isa_name(kernel->isa);
  const ActivationQuantizer& quantizer = quantizer_for(kernel->isa);
  std::mt19937_64 rng(kSeed);
  for (int weight_bits = 1; weight_bits <= 16; ++weight_bits) {
    for (const int activation_bits : {8, 16, 32}) {
      const Layer layer = random_layer(rng, weight_bits, activation_bits);
      const std::int64_t blocks = col_blocks(layer.cols);
      std::vector<Line> numbers(static_cast<std::size_t>(2 * blocks));
      std::vector<std::int32_t> sums(static_cast<std::size_t>(2 * layer.runs()));
      float scale = 0;
      ASSERT_EQ(quantizer.run(layer.x.data(), layer.cols, blocks, layer.run_blocks, activation_bits,
                              kActivationNumbers, numbers.front().bytes, sums.data(), &scale),
                1);
      std::vector<std::int32_t> q(static_cast<std::size_t>(blocks * kBlockCols));
      std::memcpy(q.data(), numbers.data(), q.size() * sizeof q[0]);

      std::vector<float> acc[2];
      for (int digit = 0; digit < (weight_bits > 8 ? 2 : 1); ++digit) {
        const std::vector<std::uint32_t> bits = run_kernel(*kernel, digit_of(layer, digit, q));
        acc[digit].resize(bits.size());
        std::memcpy(acc[digit].data(), bits.data(), bits.size() * sizeof(float));
      }
      EpilogueArgs args = {};
      args.acc[0] = acc[0].data();
      args.acc[1] = weight_bits > 8 ? acc[1].data() : nullptr;
      args.acc_stride = row_blocks(layer.rows) * kBlockRows;
      args.weight_bits = weight_bits;
      args.activation_bits = activation_bits;
      args.activation_scale = scale;
      args.row_scale = layer.row_scale.data();
      args.bias = layer.bias.data();
      std::vector<float> y(static_cast<std::size_t>(layer.rows));
      epilogue_for(Isa::generic).run(&args, 0, layer.rows, y.data());

      for (std::int64_t r = 0; r < layer.rows; ++r) {
        double quantized = layer.bias[static_cast<std::size_t>(r)], real = quantized;
        double magnitude = std::fabs(quantized), weights = 0;
        for (std::int64_t c = 0; c < layer.cols; ++c) {
          const double w = layer.weight(r, c);
          const double x = static_cast<double>(scale) * q[static_cast<std::size_t>(c)];
          quantized += w * x;
          real += w * layer.x[static_cast<std::size_t>(c)];
          magnitude += std::fabs(w * x);
          weights += std::fabs(w);
        }
        const double rounding = 4e-6 * magnitude;
        EXPECT_NEAR(y[static_cast<std::size_t>(r)], quantized, rounding)
            << "weight bits " << weight_bits << " activation bits " << activation_bits;
        // Half a step of the activations a column, whatever the sum of their errors.
        EXPECT_NEAR(y[static_cast<std::size_t>(r)], real, rounding + 0.501 * scale * weights)
            << "weight bits " << weight_bits << " activation bits " << activation_bits;
      }
    }
  }
}

std::vector<const char*> names_of_products() {
  std::vector<const char*> names;
  for (const BitKernel& kernel : all_kernels()) names.push_back(kernel.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(All, ProductTest, ::testing::ValuesIn(names_of_products()),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace pbatch::testing
