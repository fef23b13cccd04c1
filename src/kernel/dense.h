// Byte vectors of a column block of joined planes, those in spare bits put together
// (kLayoutDense in kernel.h).
#pragma once

#include "kernel/kernel.h"

namespace pbatch {
namespace {

// The bits of byte vector v that stand in one of the stored vectors: after a shift to the right, in
// their places under the mask.
struct DensePiece {
  int vector, shift, mask;
};
struct DensePieces {
  DensePiece at[7];
  int count;
};

constexpr DensePieces dense_pieces(int stored, int v) {
  DensePieces pieces = {};
  for (int k = 0; k < stored; ++k) {
    const DenseBit bit = dense_bit(stored, v, k);
    DensePiece* last = pieces.count > 0 ? &pieces.at[pieces.count - 1] : nullptr;
    if (last == nullptr || last->vector != bit.vector) {
      last = &pieces.at[pieces.count++];
      *last = {bit.vector, bit.place - k, 0};
    }
    last->mask |= 1 << k;
  }
  return pieces;
}

}  // namespace
}  // namespace pbatch
