// Products by tiles: packed vectors, and the frame of what multiplies them. How a unit of a tile,
// kRows of its 16 rows, is multiplied is a class Method of the ISA's:
//   Reg, kRows     32-bit sums of a unit's rows
//   kUnits         units that are multiplied together; divides 4 * 16 / kRows
//   kVectors       vectors at once
//   sums<NU, NV>(TileRun, Reg[NV][NU])  sum u x over a run of columns
//   twice_less(s, less)      2 s - less; it fits though both terms wrap
//   scales(from), add_product(acc, s, q)         acc + s q, which fits
//   add_wide(int64_t*, s, q), add_wide(int64_t*, s)    the same of kRows sums of 64 bits
//   finish(p, row, wide, y)  rows row ... row + kRows - 1 of the result, all of which exist
#pragma once

#include "kernel/integer_fns.h"

namespace pbatch {
namespace {

constexpr int kBlockColumns = 32;

#define PB_UNROLL _Pragma("GCC unroll 16")

// Codes of a packed vector: bytes, of 16 bits two of them one after the other, or whole words.
// Bytes are of x - offset, so that they are signed: low + 256 high; tile_offsets make up for it.
inline int32_t offset_of(const pb_product* p) { return p->bytes == 1 ? 0 : 128; }

// Columns that are summed at once. Of bytes as many as 32 bits hold, scaled, too, if no proof says
// that they hold all.
inline int32_t run_columns(const pb_product* p) {
  if (p->bytes == 0) return PB_RUN;
  const int32_t most = 32768;  // 255 * 255 * 32768 < 2^31
  if (p->narrow != 0) return most;
  const int32_t safe = 2147483647 / (255 * p->levels * (p->bytes == 1 ? 128 : 256)) / 32 * 32;
  return safe < most ? safe : most;
}

// The runs of columns, in order: begin ... end - 1.
struct Runs {
  const pb_product* p;
  int32_t columns, begin, end;
  int64_t group_end;

  explicit Runs(const pb_product* product)
      : p(product), columns(run_columns(product)), begin(0), end(0), group_end(product->group) {
    find_end();
  }
  bool next() {  // true if another group begins
    begin = end;
    const bool is_new = begin == group_end;
    if (is_new) group_end += p->group;
    find_end();
    return is_new;
  }
  void find_end() {
    const int64_t most = static_cast<int64_t>(begin) + columns;
    const int64_t stop = group_end < p->cols ? group_end : p->cols;
    end = static_cast<int32_t>(stop < most ? stop : most);
  }
};

inline int64_t packed_header(const pb_product* p) {
  return pb_packed_bytes(p) - 2 * static_cast<int64_t>(pb_padded_cols(p));
}

inline void sum_runs(const pb_product* p, int32_t offset, const int32_t* x, void* packed) {
  auto* sums = static_cast<int32_t*>(packed);
  for (Runs run(p); run.begin < p->cols; run.next()) {
    int32_t sum = 0;
    for (int32_t i = run.begin; i < run.end; ++i) sum += x[i];
    *sums++ = sum - offset * (run.end - run.begin);
  }
}

inline void pack_bytes(const pb_product* p, const int32_t* x, void* packed) {
  const int32_t offset = offset_of(p), padded = pb_padded_cols(p);
  auto* const low = static_cast<uint8_t*>(packed) + packed_header(p);
  uint8_t* const high = low + padded;
  sum_runs(p, offset, x, packed);
  for (int32_t c = 0; c < p->cols; ++c) low[c] = static_cast<uint8_t>(x[c] - offset);
  memset(low + p->cols, 0, static_cast<size_t>(padded - p->cols));
  if (p->bytes != 0) return;
  for (int32_t c = 0; c < p->cols; ++c) high[c] = static_cast<uint8_t>(x[c] >> 8);
  memset(high + p->cols, 0, static_cast<size_t>(padded - p->cols));
}

// Of each four columns the even ones, then the odd ones.
inline void pack_pairs(const pb_product* p, const int32_t* x, void* packed) {
  const int32_t padded = pb_padded_cols(p);
  auto* const words = reinterpret_cast<int16_t*>(static_cast<uint8_t*>(packed) + packed_header(p));
  sum_runs(p, 0, x, packed);
  int32_t c = 0;
  for (; c + 3 < p->cols; c += 4) {
    words[c] = static_cast<int16_t>(x[c]);
    words[c + 1] = static_cast<int16_t>(x[c + 2]);
    words[c + 2] = static_cast<int16_t>(x[c + 1]);
    words[c + 3] = static_cast<int16_t>(x[c + 3]);
  }
  memset(words + c, 0, static_cast<size_t>(padded - c) * 2);
  for (; c < p->cols; ++c) words[c / 4 * 4 + c % 2 * 2 + c % 4 / 2] = static_cast<int16_t>(x[c]);
}

// What a Method sums: of units and vectors, from a block of 32 columns on.
template <int NU, int NV>
struct TileRun {
  const uint8_t* codes[NU];  // of the unit's rows in the first block
  int64_t block_bytes;       // from a block of a unit to the next
  const uint8_t* x[NV];      // the vector's codes there
  int64_t digit;             // from the low bytes of a vector to the high ones
  int32_t blocks;
  const pb_product* p;
};

template <class M, int NU, int NV>
inline void add_units(const pb_product* p, const uint8_t* packed, int32_t unit, int32_t* y) {
  constexpr int kPerTile = PB_TILE_ROWS / M::kRows, kWide = M::kRows;
  const int32_t tiles = (p->rows + PB_TILE_ROWS - 1) / PB_TILE_ROWS;
  const int32_t first = unit / kPerTile / PB_BAND_TILES * PB_BAND_TILES;
  const int32_t in_band = tiles - first < PB_BAND_TILES ? tiles - first : PB_BAND_TILES;
  const int64_t padded = pb_padded_cols(p), header = packed_header(p);
  const int64_t stride = pb_packed_bytes(p), tile_bytes = 2 * kBlockColumns * p->bits;
  TileRun<NU, NV> run;
  run.block_bytes = in_band * tile_bytes;
  run.digit = padded;
  run.p = p;
  const uint8_t* scales[NU];
  const int64_t groups = pb_groups(p);
  for (int u = 0; u < NU; ++u) {
    const int32_t tile = (unit + u) / kPerTile - first, part = (unit + u) % kPerTile * M::kRows;
    run.codes[u] =
        p->tiles + first * (padded / kBlockColumns) * tile_bytes + tile * tile_bytes + part * 4;
    scales[u] = p->tile_scales + (first * groups + tile) * PB_TILE_ROWS + part;
  }
  const int32_t* sums[NV];
  for (int v = 0; v < NV; ++v) {
    sums[v] = reinterpret_cast<const int32_t*>(packed + v * stride);
    run.x[v] = packed + v * stride + header;
  }
  alignas(64) int64_t wide[NV][NU][kWide] = {};
  typename M::Reg acc[NV][NU];
  const bool by_words = p->bytes == 0;
  for (int v = 0; v < NV; ++v) {
    for (int u = 0; u < NU; ++u) acc[v][u] = M::zero();
  }
  int32_t held = 0;  // columns in acc
  Runs at(p);
  while (at.begin < p->cols) {
    const int32_t width = at.end - at.begin;
    run.blocks =
        static_cast<int32_t>(static_cast<uint32_t>(width + kBlockColumns - 1) / kBlockColumns);
    typename M::Reg made[NV][NU];
    M::template sums<NU, NV>(run, made);
    if (held + width > at.columns && p->narrow == 0) {
      held = 0;
      for (int v = 0; v < NV; ++v) {
        for (int u = 0; u < NU; ++u) {
          M::add_wide(wide[v][u], acc[v][u]);
          acc[v][u] = M::zero();
        }
      }
    }
    held += width;
    PB_UNROLL for (int u = 0; u < NU; ++u) {
      const typename M::Reg q = M::scales(scales[u]);
      PB_UNROLL for (int v = 0; v < NV; ++v) {
        const auto less = static_cast<uint32_t>(p->levels) * static_cast<uint32_t>(*sums[v]);
        const typename M::Reg s = M::twice_less(made[v][u], static_cast<int32_t>(less));
        if (by_words) {
          M::add_wide(wide[v][u], s, q);
        } else {
          acc[v][u] = M::add_product(acc[v][u], s, q);
        }
      }
    }
    for (int v = 0; v < NV; ++v) {
      ++sums[v];
      run.x[v] += M::column_bytes(p) * width;
    }
    const int64_t scale_bytes = at.next() ? in_band * PB_TILE_ROWS : 0;
    for (int u = 0; u < NU; ++u) {
      run.codes[u] += run.blocks * run.block_bytes;
      scales[u] += scale_bytes;
    }
  }
  for (int v = 0; v < NV; ++v) {
    for (int u = 0; u < NU; ++u) {
      const int32_t row = (unit + u) * M::kRows;
      int32_t* const to = y + v * static_cast<int64_t>(p->rows) + row;
      if (!by_words) M::add_wide(wide[v][u], acc[v][u]);
      if (row + M::kRows <= p->rows) {
        M::finish(p, row, wide[v][u], to);
        continue;
      }
      for (int r = 0; r < p->rows - row; ++r) {
        const int64_t offset = M::kOffset && p->bytes != 1 ? p->tile_offsets[row + r] : 0;
        to[r] = pb_result(p, row + r, wide[v][u][r] + offset);
      }
    }
  }
}

// The units of rows begin ... end - 1 of so many vectors as M takes at once; y of the first.
template <class M, int NV>
inline void multiply_units(const pb_product* p, const uint8_t* packed, int32_t begin, int32_t end,
                           int32_t* y) {
  constexpr int kUnits = NV == 1 ? M::kUnits : M::kBatchUnits;
  const int32_t last = (end + M::kRows - 1) / M::kRows;
  int32_t unit = begin / M::kRows;
  while (unit < last) {
    // Units that go together lie in one band.
    if (unit % kUnits == 0 && unit + kUnits <= last) {
      add_units<M, kUnits, NV>(p, packed, unit, y);
      unit += kUnits;
    } else {
      add_units<M, 1, NV>(p, packed, unit++, y);
    }
  }
}

template <class M>
inline void multiply_vectors(const pb_product* p, const void* packed, int32_t vectors,
                             int32_t begin, int32_t end, int32_t* y) {
  const auto* x = static_cast<const uint8_t*>(packed);
  const int64_t stride = pb_packed_bytes(p);
  for (; vectors >= M::kVectors; vectors -= M::kVectors) {
    multiply_units<M, M::kVectors>(p, x, begin, end, y);
    x += M::kVectors * stride;
    y += M::kVectors * static_cast<int64_t>(p->rows);
  }
  for (; vectors > 0; --vectors) {
    multiply_units<M, 1>(p, x, begin, end, y);
    x += stride;
    y += p->rows;
  }
}

// The steps as they are compiled where this is included, with an ISA's own products and units.
constexpr IntegerFns integer_fns(const pb_stepper& stepper) {
  return {stepper,          pb_linear,        pb_convolve,    pb_pool_run,       pb_rescale_run,
          pb_sqrt_run,      pb_binary_run,    pb_table_run,   pb_move_run,       pb_place_run,
          pb_lookup_run,    pb_reduce_run,    pb_softmax_run, pb_layer_norm_run, pb_matmul_run,
          pb_recurrent_run, pb_magnitude_run, pb_levels_run};
}

}  // namespace
}  // namespace pbatch
