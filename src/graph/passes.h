// Float passes over a network before it is quantized or run. Each keeps the
// function that the network computes, up to float rounding, and changes
// subgraphs as it changes the network.
#pragma once

#include "graph/graph.h"
#include "pbatch/status.h"

namespace pbatch {

/// Turns every float16, bfloat16 and float64 constant, Cast and declared type
/// into float32. Inputs and outputs become float32 too. Finite numbers beyond
/// float32 become the greatest float32 of their sign. Casts that were between float64
/// and integers are marked (float64_casts.h).
Status widen_to_float32(Graph& graph);

/// Replaces every operator of expand/expansions.inc by the standard operators that it stands for:
/// what optimizers fused or quantized, and what ONNX defines by others. A node that an expansion
/// cannot express is an error that names it; one that it leaves alone is left for the caller.
Status expand(Graph& graph);

/// Sequences whose tensors are known become those tensors: what SplitToSequence,
/// SequenceConstruct and SequenceInsert put together, SequenceAt and ConcatFromSequence read
/// without it. Others are left for the caller to refuse.
Status resolve_sequences(Graph& graph);

/// Products of what DynamicQuantizeLinear made become products of the floats that it read:
/// MatMulInteger and ConvInteger become MatMul and Conv where nothing but they, with constant
/// or equally quantized partners, sees the integers. The rounding of activations goes.
Status undo_dynamic_quantization(Graph& graph);

/// A Mul or Div by constants, one for all or one per output channel, goes into the constant weights
/// of the Conv or MatMul before it; an Add or Sub of such constants into the bias of a Conv. Behind
/// a Conv a Transpose that moves the channels last may lie between, a Squeeze of other dimensions
/// behind that, and Casts to float32.
Status fold_scale(Graph& graph);

/// Folds BatchNormalization with constant parameters into the Conv or matrix
/// product before it. Matrix products with a constant become pbatch.Linear on the way.
Status fold_batch_norm(Graph& graph);

/// Every MatMul with a constant matrix (perhaps [1, K, N]) on its right becomes pbatch.Linear
/// (inputs X [..., K], W [K, N], optional bias [N]; Y = X W + bias), and takes
/// over an Add of a constant vector behind it if broadcasting stays the same.
/// So does Gemm with a constant matrix, transA = 0, and a bias that is constant
/// or absent; transB, alpha and beta go into new constants. A following Relu
/// that is the only consumer becomes attribute activation = "relu" of
/// pbatch.Linear and of Conv (as pbatch.Conv, ONNX Conv plus that attribute).
/// The node keeps the name of the MatMul, Gemm or Conv.
Status fuse_linear(Graph& graph);

/// Every RNN, LSTM and GRU with constant weights becomes, for each direction, pbatch.Linear
/// "<node>/input" for the input part of all steps and gates, and pbatch.Recurrent
/// "<node>/recurrent" for the steps ("..._reverse" for the second direction), rows in the order of
/// gate_tiles.h.
Status split_recurrent(Graph& graph);

/// What exporters write for an activation in several operators becomes one: x * Sigmoid(x) becomes
/// Swish, x * Clip(x + 3, 0, 6) / 6 HardSwish, and x / 2 * (1 + Erf(x / sqrt(2))), in any order of
/// its products, Gelu. Nodes get the
/// opset of these operators: for a network that is run, not for one that is written.
Status fuse_activations(Graph& graph);

/// (x - mean) / sqrt(variance + epsilon) over the last dimension, times a constant vector and
/// perhaps plus one, as exporters write it out, becomes LayerNormalization under the name of the
/// last node. Parts that others read stay; what nobody reads is left for remove_unused(). For a
/// network that is run, too.
Status fuse_layer_norm(Graph& graph);

/// x / sqrt(mean(x^2) + epsilon) over the last dimension, times a constant vector, as exporters and
/// expand() write it out, becomes pbatch.RmsNormalization (inputs X [..., N], scale [N]; attribute
/// epsilon) under the name of the last node. Parts that others read stay. For a network that is
/// run.
Status fuse_rms_norm(Graph& graph);

/// Drops Identity, Dropout in inference form, and nodes and values that no
/// output needs. Renumbers the values. Inputs and outputs keep their names.
Status remove_unused(Graph& graph);

}  // namespace pbatch
