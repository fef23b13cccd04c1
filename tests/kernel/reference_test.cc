// The reference kernel against the definition of kernel.h, from the codes and not from the planes.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/kernel/problem.h"
#include "tests/kernel/time_box.h"

namespace pbatch::testing {
namespace {

std::int64_t run_product(const Problem& p, std::int64_t vector, int half, std::int64_t row,
                         std::int64_t run) {
  const Shape& s = p.shape;
  const std::int64_t run_cols = s.run_blocks * kBlockCols;
  std::int64_t sum = 0;
  for (std::int64_t c = run * run_cols; c < std::min(s.cols, (run + 1) * run_cols); ++c) {
    const std::int64_t u = p.codes[static_cast<std::size_t>(row * s.cols + c)];
    const std::int64_t q = half_of(p.q[static_cast<std::size_t>(vector * s.padded_cols() + c)],
                                   half, s.activation_bits);
    sum += (2 * u - ((1 << s.n_planes) - 1)) * q;
  }
  return sum;
}

float accumulator(const Problem& p, std::int64_t vector, int half, std::int64_t row) {
  volatile float acc = 0.0f;  // volatile: every step is rounded
  for (std::int64_t run = 0; run < p.shape.runs(); ++run) {
    const std::int64_t index =
        (row / kBlockRows * p.shape.runs() + run) * kBlockRows + row % kBlockRows;
    volatile float product = static_cast<float>(run_product(p, vector, half, row, run));
    product = product * static_cast<float>(p.scales[static_cast<std::size_t>(index)]);
    acc = acc + product;
  }
  return acc;
}

void expect_defined(const Problem& p) {
  const Shape& s = p.shape;
  const std::vector<std::uint32_t> bits = run_kernel(all_kernels()[0], p);
  for (std::int64_t v = 0; v < s.batch; ++v) {
    for (int h = 0; h < s.halves(); ++h) {
      for (std::int64_t row = 0; row < s.acc_stride(); ++row) {
        const float expected = row < s.rows ? accumulator(p, v, h, row) : 0.0f;
        float actual;
        std::memcpy(&actual,
                    &bits[static_cast<std::size_t>((v * s.halves() + h) * s.acc_stride() + row)],
                    sizeof actual);
        ASSERT_EQ(actual, expected) << "vector " << v << " half " << h << " row " << row;
      }
    }
  }
}

TEST(Reference, IsTheDefinition) {
  std::mt19937_64 rng(kSeed);
  TimeBox box(30);
  while (box.next()) {
    Shape shape;
    shape.rows = 1 + static_cast<std::int64_t>(rng() % 50);
    shape.cols = 1 + static_cast<std::int64_t>(rng() % 300);
    shape.batch = 1 + static_cast<std::int64_t>(rng() % 3);
    shape.n_planes = 1 + static_cast<int>(rng() % 8);
    shape.activation_bits = 8 << (rng() % 3);
    shape.run_blocks = 1 << (rng() % 3);
    expect_defined(random_problem(shape, rng));
    if (HasFatalFailure()) return;
  }
}

// One weight, one column: all there is can be written down.
TEST(Reference, OneWeight) {
  for (int n_planes = 1; n_planes <= 8; ++n_planes) {
    for (int u = 0; u < (1 << n_planes); ++u) {
      Problem p = blank_problem({1, 1, 1, n_planes, 32, 1});
      p.codes[0] = static_cast<std::uint16_t>(u);
      p.scales[0] = 3;
      p.q[0] = 2 * 32768 - 5;
      const std::vector<std::uint32_t> bits = run_kernel(all_kernels()[0], p);
      float high, low;
      std::memcpy(&high, &bits[0], sizeof high);
      std::memcpy(&low, &bits[16], sizeof low);
      const float w = static_cast<float>(3 * (2 * u - ((1 << n_planes) - 1)));
      EXPECT_EQ(high, 2 * w);
      EXPECT_EQ(low, -5 * w);
    }
  }
}

}  // namespace
}  // namespace pbatch::testing
