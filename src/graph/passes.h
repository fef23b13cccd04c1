// Float passes over a network before it is quantized or run. Each keeps the
// function that the network computes, up to float rounding.
#pragma once

#include "graph/graph.h"
#include "pbatch/status.h"

namespace pbatch {

/// Turns every float16, bfloat16 and float64 constant, Cast and declared type
/// into float32. Inputs and outputs become float32 too.
Status widen_to_float32(Graph& graph);

/// Folds BatchNormalization into the Conv or Gemm before it.
Status fold_batch_norm(Graph& graph);

/// Fuses MatMul + Add of a constant vector into one Gemm-like node: the Add's
/// constant becomes the third input of the MatMul, renamed to pbatch.Linear
/// (inputs X [..., K], W [K, N], optional bias [N]; Y = X W + bias). Gemm with a
/// constant B, alpha = beta = 1 and transA = 0 becomes the same. A following
/// Relu that is the only consumer becomes attribute activation = "relu" of
/// pbatch.Linear and of Conv (as pbatch.Conv, ONNX Conv plus that attribute).
Status fuse_linear(Graph& graph);

/// Drops Identity, Dropout in inference form, and nodes and values that no output needs.
Status remove_unused(Graph& graph);

}  // namespace pbatch
