// What a run does and what it took, step by step.
#pragma once

#include <cstdint>
#include <string>

#include "pbatch/tensor.h"

namespace pbatch {

/// Which library multiplies float matrices.
enum class FloatBackend {
  fastest,  ///< measure both once per layer and shape, keep the faster
  onednn,
  openblas,
  by_row,       ///< OpenBLAS on one thread, a row of the batch at a time, and convolutions an image
                ///< at a time: what an item gives does not depend on the batch that it is in.
                ///< Runs with Precision::exact take it in place of the three above
  onednn_int8,  ///< a baseline, not float at all: int8 weights with a scale per row, 8-bit
                ///< activations quantized on the fly, multiplied by oneDNN
};

/// One node of a plan, as `pbatch plan` prints it.
struct PlanStep {
  std::string node, op_type;
  std::string kernel;   ///< kernel name, "rows" for an embedding, "float", "float, chained"
                        ///< if tile by tile with the step before, or "by data"; on a GPU
                        ///< "cuda_bits" and the like
  bool planned = true;  ///< false: "by data", its shapes are known only in the run,
                        ///< which decides then and there
  Shape shape;          ///< of the first output, if planned
  int weight_bits = 32, activation_bits = 32;
  std::int64_t rows = 0, cols = 0;  ///< of its matrix; 0 if it has none
  std::int64_t macs = 0;            ///< multiplications with its matrix in a run; 0: unknown
  std::int64_t weight_bytes = 0;    ///< bytes of weights and scales read per run; those of a
                                    ///< whole embedding, of which a run reads a few rows; 0
                                    ///< where a step before has counted the same matrix
  std::string repack;               ///< layout change done once before the first run; empty if none
  double predicted_us = 0;          ///< microseconds, by the table of kernel costs, on all threads;
                                    ///< 0: unknown
};

/// What a step of a run took, in microseconds: medians over some runs. A step is a node, or all
/// steps of that node together if it ran more than once. Of a node of control flow it is what its
/// inner steps leave.
struct StepTime {
  std::string node, op_type;
  std::string kernel;  ///< as in PlanStep
  double us = 0;       ///< wall time
  /// Parts of a product of bit-layers, added up over the threads; 0 elsewhere.
  double quantize_us = 0, product_us = 0, epilogue_us = 0;
  double predicted_us = 0;        ///< of the products of all its steps or tiles; 0: unknown
  std::int64_t weight_bytes = 0;  ///< as in PlanStep
  double macs = 0;                ///< multiplications with its matrix, of all its steps
};

}  // namespace pbatch
