#include <array>

#include "cost/choose_kernel.h"
#include "cost/product_time.h"
#include "tools/bench/tune_kernels.h"

namespace pbatch {
namespace {

struct Setting {
  std::int64_t rows, cols;
  bool cold;
};

constexpr std::array<Setting, 5> kSettings = {{{10, 4096, false},
                                               {1024, 1024, false},
                                               {4096, 784, false},
                                               {4096, 4096, false},
                                               {4096, 4096, true}}};
constexpr std::array<std::int64_t, 4> kBatches = {1, 4, 16, 64};
constexpr int kMaxBits = 16;
// Cold: as one of many matrices that together exceed any cache.
constexpr std::int64_t kColdPlaneBytes = 300'000'000;

}  // namespace

std::vector<ChangedChoice> changed_choices(IsaChoice isa, const KernelCosts& before,
                                           const KernelCosts& after) {
  std::vector<ChangedChoice> changes;
  for (const Setting& setting : kSettings) {
    for (const std::int64_t batch : kBatches) {
      for (const int activation_bits : kCostActivationBits) {
        bool run = false;  // whether the width before belongs to the last element of `changes`
        for (int bits = 1; bits <= kMaxBits; ++bits) {
          const GemmShape shape{setting.rows,
                                setting.cols,
                                batch,
                                bits,
                                activation_bits,
                                1,
                                setting.cold ? kColdPlaneBytes : 0};
          const BitKernel& old = choose_kernel(shape, isa, before);
          const BitKernel& now = choose_kernel(shape, isa, after);
          if (&old == &now) {
            run = false;
            continue;
          }
          const double gain = product_ps(after, old, shape) / product_ps(after, now, shape);
          if (run && changes.back().before == old.name && changes.back().after == now.name) {
            changes.back().last_bits = bits;
            changes.back().gain = std::min(changes.back().gain, gain);
          } else {
            changes.push_back({shape, bits, old.name, now.name, gain});
            run = true;
          }
        }
      }
    }
  }
  return changes;
}

}  // namespace pbatch
