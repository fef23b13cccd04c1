#include "plan/float_convolution.h"

#include "plan/builtin_costs.h"
#include "plan/choose_kernel.h"
#include "plan/product_time.h"

namespace pbatch {
namespace {

constexpr std::int64_t kPositions = 64;  // windows of a product

// Picoseconds. Measured with oneDNN on AVX2 (docs/networks.md); what is wider or narrower is taken
// to differ as its registers do.
struct FloatCost {
  double per_multiply_add;
  double per_output;  // what narrow convolutions wait for
};
FloatCost float_cost(Isa isa) {
#if defined(__x86_64__)
  const IsaChoice choice(isa);
  if (choice.runs(Isa::avx512)) return {16, 400};
  if (choice.runs(Isa::avx2)) return {28, 400};
#endif
  (void)isa;
  return {110, 400};
}

// What a product of bit-layers needs besides, per element of a window: quantized, and gathered
// where windows overlap.
constexpr double kQuantizePs = 400, kGatherPs = 1300;

// A convolution is no product of large matrices, and above 4 bits processors of one instruction set
// differ most: what the table says holds for the best of shapes on the best of them.
double product_slack(int weight_bits) { return weight_bits <= 4 ? 1.5 : 3; }

}  // namespace

bool float_convolution_is_faster(std::int64_t rows, std::int64_t cols, std::int64_t taps,
                                 int weight_bits, int activation_bits, Isa isa) {
  GemmShape shape;
  shape.rows = rows;
  shape.cols = cols;
  shape.batch = kPositions;
  shape.weight_bits = weight_bits;
  shape.activation_bits = activation_bits;
  const KernelCosts& costs = *builtin_costs(isa);
  const BitKernel& kernel = choose_kernel(shape, isa, costs);
  const double bits = product_slack(weight_bits) * product_ps(costs, kernel, shape) / kPositions +
                      (kQuantizePs + (taps > 1 ? kGatherPs : 0)) * static_cast<double>(cols);
  const FloatCost cost = float_cost(isa);
  return static_cast<double>(rows) *
             (cost.per_multiply_add * static_cast<double>(cols) + cost.per_output) <
         bits;
}

}  // namespace pbatch
