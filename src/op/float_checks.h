// Checks that operators over float32 tensors share.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "graph/graph.h"
#include "kernel/epilogue.h"
#include "pbatch/status.h"
#include "pbatch/tensor.h"

namespace pbatch {

/// "float32 [1, 784]".
std::string describe_tensor(const Tensor& tensor);

/// An error unless `tensor` is there and float32; `what` is its role, e.g. "input X".
Status expect_float(const Tensor* tensor, const char* what);

/// The i-th input, null if the node was given fewer or it is absent.
const Tensor* input_or_null(std::span<const Tensor* const> inputs, std::size_t i);

/// The constant at input i of a node; null if it is absent or computed at run time.
const Tensor* constant_input(const Graph& graph, const Node& node, std::size_t i);

/// Whether the node has an i-th input at all.
bool has_input(const Node& node, std::size_t i);

/// Reads attribute "activation": "relu", or "" or absent for none.
Result<Activation> read_activation(const Node& node);

/// The axis as an index below `rank`, counting a negative one from the end.
Result<std::size_t> normalize_axis(std::int64_t axis, std::size_t rank);

/// Product of dims[begin .. end - 1].
std::int64_t product_of(const Shape& dims, std::size_t begin, std::size_t end);

}  // namespace pbatch
