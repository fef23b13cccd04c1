#include "plan/float_convolution.h"

#include "plan/builtin_costs.h"
#include "plan/choose_kernel.h"
#include "plan/product_time.h"

namespace pbatch {
namespace {

constexpr std::int64_t kWindows = 64;  // of a product

// Picoseconds, in the time of the processor that the built-in table of the instruction set comes
// from; processors differ in speed, less so in the ratio of floats to bits. Measured on Zen 4 and
// Zen 3 (docs/networks.md), scaled to the table.
struct Costs {
  double multiply_add;  // in float
  double float_output;  // what narrow convolutions wait for
  double quantized;     // an element of the image, the edges of strips twice
  double gathered;      // a byte of a window's vector, and its share of sums of runs
  double part;          // a row of the kernel to find in the image
  double output;        // a result of bits to finish
};
Costs costs_of(Isa isa) {
#if defined(__x86_64__)
  if (isa >= Isa::avx512) return {10.5, 100, 75, 36, 3000, 150};
  if (isa >= Isa::avx2) return {19, 200, 150, 70, 5500, 300};
#endif
  (void)isa;
  return {110, 400, 400, 300, 6000, 600};
}

// The table's matrices have runs of 64 columns; shorter ones have more ends.
double run_factor(int run_blocks) { return run_blocks == 1 ? 1.35 : run_blocks == 2 ? 1.1 : 1.0; }

// Bits must be faster than float by this: estimates are no better.
constexpr double kMargin = 1.1;

}  // namespace

bool float_convolution_is_faster(const ConvolutionShape& shape, int weight_bits,
                                 int activation_bits, Isa isa) {
  const auto rows = static_cast<double>(shape.rows), cols = static_cast<double>(shape.cols());
  GemmShape product;
  product.rows = shape.rows;
  product.cols = shape.cols();
  product.batch = kWindows;
  product.weight_bits = weight_bits;
  product.activation_bits = activation_bits;
  const KernelCosts& table = *builtin_costs(isa);
  const BitKernel& kernel = choose_kernel(product, isa, table);
  const Costs costs = costs_of(isa);
  const double bits = run_factor(shape.run_blocks) * product_ps(table, kernel, product) / kWindows +
                      costs.quantized * static_cast<double>(shape.channels) +
                      costs.gathered * cols * activation_bits / 8 +
                      costs.part * static_cast<double>(shape.kernel_rows) + costs.output * rows;
  return rows * (costs.multiply_add * cols + costs.float_output) < kMargin * bits;
}

}  // namespace pbatch
