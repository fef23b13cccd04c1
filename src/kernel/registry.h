// The table that kernels.inc grows into.
#pragma once

#include <span>
#include <string_view>

#include "isa/isa.h"
#include "kernel/cells.h"
#include "kernel/kernel.h"
#include "kernel/vectors.h"

namespace pbatch {

struct BitKernel {
  const char* name;  ///< also the file's name: <method>_<isa>
  Isa isa;
  PlaneLayout layout;
  ActivationLayout activations;
  BitKernelFn run;
};

struct ActivationPacker {
  const char* name;
  Isa isa;
  ActivationLayout layout;
  PackFn run;
};

struct ActivationQuantizer {
  const char* name;
  Isa isa;
  QuantizeFn run;
};

struct AffineQuantizer {
  const char* name;
  Isa isa;
  AffineQuantizeFn run;
};

struct RunSums {
  const char* name;
  Isa isa;
  RunSumsFn run;
};

struct RecurrentCells {
  const char* name;
  Isa isa;
  CellFn run;
};

struct VectorFunctions {
  const char* name;
  Isa isa;
  const VectorFns* fns;
};

/// All kernels of this build, also those this CPU cannot run. The first is "reference".
std::span<const BitKernel> all_kernels();
/// Null if there is none of that name.
const BitKernel* find_kernel(std::string_view name);

/// The packer of a layout for an ISA (the best one not above it).
const ActivationPacker& packer_for(Isa isa, ActivationLayout layout);
std::span<const ActivationPacker> all_packers();

/// The quantizer of an ISA (the best one not above it).
const ActivationQuantizer& quantizer_for(Isa isa);
std::span<const ActivationQuantizer> all_quantizers();

/// The affine quantizer of an ISA (the best one not above it).
const AffineQuantizer& affine_quantizer_for(Isa isa);
std::span<const AffineQuantizer> all_affine_quantizers();

/// The sums of an ISA (the best ones not above it).
const RunSums& run_sums_for(Isa isa);
std::span<const RunSums> all_run_sums();

/// The cells of an ISA (the best ones not above it).
const RecurrentCells& cells_for(Isa isa);
std::span<const RecurrentCells> all_cells();

/// The functions of vectors of an ISA (the best ones not above it).
const VectorFunctions& vectors_for(Isa isa);
std::span<const VectorFunctions> all_vectors();

}  // namespace pbatch
