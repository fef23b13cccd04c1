// The arithmetic of a recurrent step between its products: gates to states, for tiles of 16 units.
//
// Gate-tiled rows: units are taken in tiles of 16, the last one filled up, and the rows of a
// product are ordered so that a tile has all its gates in consecutive blocks of 16 rows: block g of
// tile t of G gates is row block G * t + g. Gates stand in ONNX's order: LSTM i o f c, GRU z r h,
// RNN one. A GRU without linear_before_reset has its products in two parts: z and r of all tiles (G
// = 2), then h of all tiles (G = 1), for h's product needs r.
//
// Float operations have one order and are never fused; every ISA gives the same bits.
#pragma once

#include <stdint.h>

namespace pbatch {

enum { kTileUnits = 16 };

/// One vector's part of a step. Arrays of units have 16 * tiles elements, those of rows 16 * G *
/// tiles.
struct CellArgs {
  const float* x;           ///< rows: what the input gives, biases added
  const float* r;           ///< rows: what the state gives
  const float* r_bias;      ///< units: GRU with linear_before_reset, Rbh; else null
  const float* peephole;    ///< units, three times, for i, o, f: LSTM; or null
  int64_t peephole_stride;  ///< floats from i to o, and from o to f
  float clip;         ///< what enters a gate's function is limited to -clip .. clip; INFINITY: not
  int couple_forget;  ///< LSTM: f = 1 - i
  float* h;           ///< units: the state, read and written
  float* c;           ///< units: LSTM's cell state, read and written
  float* update;      ///< units: GRU, z; in two parts from the first to the second
  float* reset_h;  ///< units: GRU in two parts, r * h, which the second multiplies; in one, its own
};

/// Steps of cells with ONNX's default functions, sigmoid and tanh. `r` and `x` are those of the
/// part.
enum CellKind { kCellRnn, kCellLstm, kCellGru, kCellGruGates, kCellGruState };
enum { kCellKinds = 5 };

/// Tiles begin .. end - 1 of one vector. Safe on disjoint tiles from many threads.
typedef void (*CellFn)(CellKind kind, const CellArgs* args, int64_t tile_begin, int64_t tile_end);

}  // namespace pbatch
