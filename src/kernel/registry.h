// The table that kernels.inc grows into.
#pragma once

#include <span>
#include <string_view>

#include "isa/isa.h"
#include "kernel/cells.h"
#include "kernel/epilogue.h"
#include "kernel/integer_fns.h"
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

struct Epilogue {
  const char* name;
  Isa isa;
  EpilogueFn run;
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

struct IntegerFunctions {
  const char* name;
  Isa isa;
  const IntegerFns* fns;
};

/// All kernels of this build, also those this CPU cannot run. The first is "reference".
std::span<const BitKernel> all_kernels();
/// Null if there is none of that name.
const BitKernel* find_kernel(std::string_view name);

/// The packer of a layout for an ISA: of those it runs, the best.
const ActivationPacker& packer_for(IsaChoice isa, ActivationLayout layout);
std::span<const ActivationPacker> all_packers();

/// The quantizer for an ISA: of those it runs, the best.
const ActivationQuantizer& quantizer_for(IsaChoice isa);
std::span<const ActivationQuantizer> all_quantizers();

/// The affine quantizer for an ISA: of those it runs, the best.
const AffineQuantizer& affine_quantizer_for(const IsaChoice& isa);
std::span<const AffineQuantizer> all_affine_quantizers();

/// The sums for an ISA: of those it runs, the best.
const RunSums& run_sums_for(const IsaChoice& isa);
std::span<const RunSums> all_run_sums();

/// The epilogue for an ISA: of those it runs, the best.
const Epilogue& epilogue_for(const IsaChoice& isa);
std::span<const Epilogue> all_epilogues();

/// The cells for an ISA: of those it runs, the best.
const RecurrentCells& cells_for(IsaChoice isa);
std::span<const RecurrentCells> all_cells();

/// The functions of vectors for an ISA: of those it runs, the best.
const VectorFunctions& vectors_for(IsaChoice isa);
std::span<const VectorFunctions> all_vectors();

/// The steps of integer networks for an ISA: of those it runs, the best.
const IntegerFunctions& integer_functions_for(const IsaChoice& isa);
std::span<const IntegerFunctions> all_integer_functions();

}  // namespace pbatch
