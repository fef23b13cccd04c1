// What the operations of a device read and write. Pointers are of its memory.
#pragma once

#include <stdint.h>

#include "kernel/element_spec.h"
#include "kernel/epilogue.h"

namespace pbatch {

/// y[i] = f(a[i], b[i]). Where there is an index, a stands for a[a_index[i]]: that is how shapes
/// are broadcast.
struct ElementwiseArgs {
  ElementFunction function;
  int64_t count;
  float* y;
  const float* a;
  const int32_t* a_index;  ///< [count] or null
  const float* b;          ///< null for a function of one number
  const int32_t* b_index;
  float alpha, beta;  ///< element_functions.inc
};

/// to[i] = from[index[i]] for the i whose index is not negative.
struct MoveArgs {
  int64_t count;
  int element_bytes;  ///< 1, 2, 4 or 8
  const void* from;
  const int32_t* index;  ///< [count]
  void* to;
};

/// Softmax over rows, or its logarithm.
struct SoftmaxArgs {
  const float* x;  ///< [rows][cols]
  float* y;        ///< out: the same
  int64_t rows, cols;
  bool log;
};

/// y = W x of floats, for the small matrices that stay float in a network of bit-layers. It carries
/// no promise of equal bits.
struct FloatProductArgs {
  const float* w;  ///< [rows][cols]
  int64_t rows, cols;
  const float* x;  ///< [batch][ldx], cols of each
  int64_t ldx;
  int64_t batch;
  float* y;  ///< out: [batch][ldy], rows of each
  int64_t ldy;
  const float* bias;  ///< [rows] or null
  Activation activation;
};

/// Rows of a table, picked by numbers.
struct GatherRowsArgs {
  const float* floats;  ///< [rows][cols]; null: the table is a matrix of bit-layers
  int64_t rows, cols;
  const void* indices;  ///< [count], int64 or int32; negative ones count from the end
  bool wide;            ///< they are int64
  int64_t count;
  float* y;        ///< out: [count][cols]
  uint32_t* flag;  ///< gets kFlagBadIndex for an index out of range, whose row is undefined
};

}  // namespace pbatch
