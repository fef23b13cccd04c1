#include "kernel/registry.h"

namespace pbatch {

#define PBATCH_KERNEL(name, isa, planes, activations) \
  void name##_run(const BitKernelArgs* args, int64_t row_block_begin, int64_t row_block_end);
#define PBATCH_PACKER(name, isa, activations) \
  void name##_run(const int32_t* q, int64_t col_blocks, int activation_bits, uint8_t* out);
#define PBATCH_QUANTIZER(name, isa)                                                             \
  int name##_run(const float* x, int64_t cols, int64_t col_blocks, int run_blocks,              \
                 int activation_bits, ActivationLayout layout, uint8_t* out, int32_t* run_sums, \
                 float* scale);
#define PBATCH_AFFINE(name, isa) \
  int name##_run(const float* x, int64_t count, int8_t* out, float* scale, int32_t* zero);
#define PBATCH_RUN_SUMS(name, isa)                                                                \
  void name##_run(const uint8_t* packed, int64_t col_blocks, int run_blocks, int activation_bits, \
                  int32_t* run_sums);
#define PBATCH_EPILOGUE(name, isa) \
  void name##_run(const EpilogueArgs* args, int64_t row_begin, int64_t row_end, float* y);
#define PBATCH_CELLS(name, isa) \
  void name##_run(CellKind kind, const CellArgs* args, int64_t tile_begin, int64_t tile_end);
#define PBATCH_VECTORS(name, isa) extern const VectorFns name;
#define PBATCH_INTEGER(name, isa) extern const IntegerFns name;
#include "kernel/kernels.inc"

namespace {

constexpr BitKernel kKernels[] = {
#define PBATCH_KERNEL(name, isa, planes, activations) \
  {#name, Isa::isa, planes, activations, &name##_run},
#include "kernel/kernels.inc"
};

constexpr ActivationPacker kPackers[] = {
#define PBATCH_PACKER(name, isa, activations) {#name, Isa::isa, activations, &name##_run},
#include "kernel/kernels.inc"
};

constexpr AffineQuantizer kAffineQuantizers[] = {
#define PBATCH_AFFINE(name, isa) {#name, Isa::isa, &name##_run},
#include "kernel/kernels.inc"
};

constexpr RunSums kRunSums[] = {
#define PBATCH_RUN_SUMS(name, isa) {#name, Isa::isa, &name##_run},
#include "kernel/kernels.inc"
};

constexpr Epilogue kEpilogues[] = {
#define PBATCH_EPILOGUE(name, isa) {#name, Isa::isa, &name##_run},
#include "kernel/kernels.inc"
};

constexpr RecurrentCells kCells[] = {
#define PBATCH_CELLS(name, isa) {#name, Isa::isa, &name##_run},
#include "kernel/kernels.inc"
};

constexpr VectorFunctions kVectors[] = {
#define PBATCH_VECTORS(name, isa) {#name, Isa::isa, &name},
#include "kernel/kernels.inc"
};

constexpr IntegerFunctions kIntegerFunctions[] = {
#define PBATCH_INTEGER(name, isa) {#name, Isa::isa, &name},
#include "kernel/kernels.inc"
};

constexpr ActivationQuantizer kQuantizers[] = {
#define PBATCH_QUANTIZER(name, isa) {#name, Isa::isa, &name##_run},
#include "kernel/kernels.inc"
};

// Of the entries that `isa` runs the best; the first one is portable.
template <class Entry, std::size_t N>
const Entry& best_of(const Entry (&table)[N], IsaChoice isa) {
  const Entry* best = &table[0];
  for (const Entry& entry : table) {
    if (isa.runs(entry.isa) && entry.isa >= best->isa) best = &entry;
  }
  return *best;
}

}  // namespace

std::span<const BitKernel> all_kernels() { return kKernels; }

const BitKernel* find_kernel(std::string_view name) {
  for (const BitKernel& kernel : kKernels) {
    if (name == kernel.name) return &kernel;
  }
  return nullptr;
}

std::span<const ActivationPacker> all_packers() { return kPackers; }

const ActivationPacker& packer_for(IsaChoice isa, ActivationLayout layout) {
  const ActivationPacker* best = nullptr;
  for (const ActivationPacker& packer : kPackers) {
    if (packer.layout != layout || !isa.runs(packer.isa)) continue;
    if (best == nullptr || packer.isa >= best->isa) best = &packer;
  }
  return *best;  // every layout has a generic one
}

std::span<const ActivationQuantizer> all_quantizers() { return kQuantizers; }

const ActivationQuantizer& quantizer_for(IsaChoice isa) { return best_of(kQuantizers, isa); }

std::span<const AffineQuantizer> all_affine_quantizers() { return kAffineQuantizers; }

const AffineQuantizer& affine_quantizer_for(const IsaChoice& isa) {
  return best_of(kAffineQuantizers, isa);
}

std::span<const RunSums> all_run_sums() { return kRunSums; }

const RunSums& run_sums_for(const IsaChoice& isa) { return best_of(kRunSums, isa); }

std::span<const Epilogue> all_epilogues() { return kEpilogues; }

const Epilogue& epilogue_for(const IsaChoice& isa) { return best_of(kEpilogues, isa); }

std::span<const RecurrentCells> all_cells() { return kCells; }

const RecurrentCells& cells_for(IsaChoice isa) { return best_of(kCells, isa); }

std::span<const VectorFunctions> all_vectors() { return kVectors; }

const VectorFunctions& vectors_for(IsaChoice isa) { return best_of(kVectors, isa); }

std::span<const IntegerFunctions> all_integer_functions() { return kIntegerFunctions; }

const IntegerFunctions& integer_functions_for(const IsaChoice& isa) {
  return best_of(kIntegerFunctions, isa);
}

}  // namespace pbatch
