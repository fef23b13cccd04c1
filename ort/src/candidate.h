// Whether one node is of those that run on bit-layers.
#pragma once

#include "onnxruntime.h"
#include "pbatch/status.h"
#include "settings.h"

namespace pbatch::ort {

/// A node of the domain pbatch, of a file that `pbatch quantize` wrote.
bool is_own_operator(const Ort::ConstNode& node);

/// A float node whose weights become bit-layers.
Result<bool> is_candidate(const Ort::ConstNode& node, const Settings& settings);

/// Relu, or Add of a constant: part of the layer whose result it reads, if that runs here.
/// Null for any other node, else the one value that it reads and that is no constant.
Ort::ConstValueInfo followed_value(const Ort::ConstNode& node);

/// A float operator that the library computes as well, so that layers on both sides of it can be
/// one group: elementwise ones, normalizations, products of two values, changes of shape. What it
/// reads besides floats is constant.
bool is_connector(const Ort::ConstNode& node);

}  // namespace pbatch::ort
