// Weights that are better left as floats, told by their values.
#pragma once

#include <span>
#include <string>

namespace pbatch {

/// Why a matrix of these numbers stays float; empty if nothing speaks against bit-layers.
/// Magnitudes from 2^60 on would overflow float32 between the sums of a product and its scales.
std::string reason_of_weights(std::span<const float> weights);

/// The same for a table whose rows are looked up. Masks and one-hot rows are no embedding: codes
/// of few bits have no zero beside large numbers, and softmax or a product needs it exact.
std::string reason_of_table(std::span<const float> table);

}  // namespace pbatch
