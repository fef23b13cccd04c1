#include "cost/float_convolution.h"

#include "cost/builtin_costs.h"
#include "cost/choose_kernel.h"
#include "cost/product_time.h"
#include "layout/layout.h"

namespace pbatch {
namespace {

constexpr std::int64_t kWindows = 64;  // of a product

// Picoseconds, in the time of the processor that the built-in table of the instruction set comes
// from; processors differ in speed, less so in the ratio of floats to bits. Fitted to what 'pbatch
// run --profile' says of the convolutions of open_nsfw, mtcnn and ddddocr (docs/networks.md) on
// Zen 4, on bits and in float, for AVX2 with that forced on both sides; scaled to the table. Those
// without vectors, and of ARM, are estimates that nobody has measured.
struct Costs {
  double multiply_add;  // in float
  double float_output;
  double quantized;  // an element of the image, the edges of strips twice
  double gathered;   // a byte of a window's vector, and its share of sums of runs
  double part;       // a row of the kernel to find in the image
  double output;     // a result of bits: what it costs besides products
  double short_run;  // factor of products with runs of 32 columns
};
Costs costs_of(Isa isa) {
#if defined(__x86_64__)
  const IsaChoice choice(isa);
  if (choice.runs(Isa::avx512)) return {10.5, 40, 75, 36, 4500, 210, 1};
  if (choice.runs(Isa::avx2)) return {19, 200, 150, 70, 5500, 600, 1.35};
#endif
  (void)isa;
  return {110, 400, 400, 300, 6000, 1000, 1.35};
}

// Bits must be faster than float by this: estimates are no better.
constexpr double kMargin = 1.1;

// The table's square matrix: kernels for several vectors waste nothing on narrow ones but the rows
// that fill up a block.
double product_ps_per_weight(int weight_bits, int activation_bits, Isa isa) {
  GemmShape shape;
  shape.rows = shape.cols = 1024;
  shape.batch = kWindows;
  shape.weight_bits = weight_bits;
  shape.activation_bits = activation_bits;
  const KernelCosts& table = *builtin_costs(isa);
  return product_ps(table, choose_kernel(shape, isa, table), shape) /
         static_cast<double>(kWindows * shape.rows * shape.cols);
}

}  // namespace

bool float_convolution_is_faster(const ConvolutionSize& shape, int weight_bits, int activation_bits,
                                 Isa isa) {
  const auto rows = static_cast<double>(shape.rows), cols = static_cast<double>(shape.cols());
  // Both sides fill blocks of 16 output channels up.
  const double weights = static_cast<double>(row_blocks(shape.rows) * kBlockRows) * cols;
  const Costs costs = costs_of(isa);
  const double bits = (shape.run_blocks == 1 ? costs.short_run : 1) * weights *
                          product_ps_per_weight(weight_bits, activation_bits, isa) +
                      costs.quantized * static_cast<double>(shape.channels) +
                      costs.gathered * cols * activation_bits / 8 +
                      costs.part * static_cast<double>(shape.kernel_rows) + costs.output * rows;
  return costs.multiply_add * weights + costs.float_output * rows < kMargin * bits;
}

}  // namespace pbatch
