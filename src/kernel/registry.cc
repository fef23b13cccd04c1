#include "kernel/registry.h"

namespace pbatch {

#define PBATCH_KERNEL(name, isa, layout)                                                      \
  void name##_run(const BitKernelArgs* args, int64_t row_block_begin, int64_t row_block_end); \
  int64_t name##_packed_bytes(int64_t col_blocks, int activation_bits);                       \
  void name##_pack(const int32_t* q, int64_t col_blocks, int activation_bits, uint8_t* out);
#define PBATCH_QUANTIZER(name, isa)                                                \
  int name##_run(const float* x, int64_t cols, int64_t col_blocks, int run_blocks, \
                 int activation_bits, int32_t* q, int32_t* run_sums, float* scale);
#include "kernel/kernels.inc"

namespace {

constexpr BitKernel kKernels[] = {
#define PBATCH_KERNEL(name, isa, layout) \
  {#name, Isa::isa, layout, &name##_run, &name##_packed_bytes, &name##_pack},
#include "kernel/kernels.inc"
};

constexpr ActivationQuantizer kQuantizers[] = {
#define PBATCH_QUANTIZER(name, isa) {#name, Isa::isa, &name##_run},
#include "kernel/kernels.inc"
};

}  // namespace

std::span<const BitKernel> all_kernels() { return kKernels; }

const BitKernel* find_kernel(std::string_view name) {
  for (const BitKernel& kernel : kKernels) {
    if (name == kernel.name) return &kernel;
  }
  return nullptr;
}

std::span<const ActivationQuantizer> all_quantizers() { return kQuantizers; }

const ActivationQuantizer& quantizer_for(Isa isa) {
  const ActivationQuantizer* best = &kQuantizers[0];
  for (const ActivationQuantizer& quantizer : kQuantizers) {
    if (quantizer.isa <= isa && quantizer.isa >= best->isa) best = &quantizer;
  }
  return *best;
}

}  // namespace pbatch
