// The operators whose weights are bit-layers (Node::matrix).
#pragma once

#include <cstddef>
#include <string_view>

namespace pbatch {

/// The inputs of a stored matrix behind those of its operator: row scale, codebook and group codes,
/// then its planes. If it has outliers their places and values are the last two, behind room for 16
/// planes; absent planes have empty names.
inline constexpr std::size_t kScaleInputs = 3, kPlaneInputs = 16;

struct BitOperator {
  const char* op_type;
  std::size_t inputs;  ///< its own, absent ones too; in a model file the matrix's stand behind them
};

inline constexpr BitOperator kBitOperators[] = {
    {"BitConv", 2},
    {"BitGather", 1},
    {"BitLinear", 2},
    {"BitRecurrent", 6},
};

/// The attribute of such a node that names the planes that runs read at least; 1 without it.
inline constexpr const char* kMinWeightBits = "min_weight_bits";

/// The attribute of a BitConv that says in which order its matrix has its columns; without it
/// [channel][kernel], as ONNX's weights.
inline constexpr const char* kColumnOrder = "column_order";
/// Its only value: ConvColumnOrder.
inline constexpr const char* kChannelBlocks = "channel_blocks";

/// Null for any other operator. Of domain pbatch.
constexpr const BitOperator* find_bit_operator(std::string_view op_type) {
  for (const BitOperator& op : kBitOperators) {
    if (op_type == op.op_type) return &op;
  }
  return nullptr;
}

}  // namespace pbatch
