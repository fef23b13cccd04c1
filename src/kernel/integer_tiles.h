// Products by tiles: rows of 16 side by side, portable. An ISA file that defines PB_TILE_SUMS
// has tile_sums and add_run of its own.
#pragma once

#include "kernel/integer_fns.h"

namespace pbatch {
namespace {

// The columns begin ... begin + 4 quads - 1 of a tile, and a vector's codes there: of 16 bits, and
// as bytes where the product has such vectors.
struct TileRun {
  const uint8_t* codes;
  const int16_t* x;
  const uint8_t* x_bytes;
  int32_t quads;
};

#ifdef PB_TILE_SUMS
inline void tile_sums(const pb_product* p, const TileRun& run, int32_t* sums);
inline void add_run(const int32_t* sums, const uint8_t* scales, uint32_t less, int32_t* acc);
inline void add_run(const int32_t* sums, const uint8_t* scales, uint32_t less, int64_t* acc);
#else
// sums[16] = sum of u x.
inline void tile_sums(const pb_product*, const TileRun& run, int32_t* sums) {
  const uint8_t* tile = run.codes;
  const int16_t* x = run.x;
  for (int r = 0; r < PB_TILE_ROWS; ++r) sums[r] = 0;
  for (int32_t k = 0; k < run.quads; ++k, tile += 4 * PB_TILE_ROWS, x += 4) {
    for (int r = 0; r < PB_TILE_ROWS; ++r) {
      sums[r] += tile[4 * r] * x[0] + tile[4 * r + 1] * x[1] + tile[4 * r + 2] * x[2] +
                 tile[4 * r + 3] * x[3];
    }
  }
}

// Adds q (2 sums - levels * sum of x) of a run. Both terms wrap; the difference fits.
template <class Sum>
inline void add_run(const int32_t* sums, const uint8_t* scales, uint32_t less, Sum* acc) {
  for (int r = 0; r < PB_TILE_ROWS; ++r) {
    const auto sum = static_cast<int32_t>(2 * static_cast<uint32_t>(sums[r]) - less);
    acc[r] += static_cast<Sum>(sum) * static_cast<int32_t>(scales[r]);
  }
}
#endif

template <class Sum>
inline void tile_rows(const pb_product* p, const int16_t* x, const int64_t* group_sums,
                      int32_t tile, int32_t* y) {
  const int32_t groups = pb_groups(p), quads = (p->cols + 3) / 4, first = tile * PB_TILE_ROWS;
  const int rows = p->rows - first < PB_TILE_ROWS ? p->rows - first : PB_TILE_ROWS;
  const uint8_t* const codes = p->tiles + static_cast<int64_t>(tile) * quads * 4 * PB_TILE_ROWS;
  const uint8_t* const scales = p->tile_scales + static_cast<int64_t>(tile) * groups * PB_TILE_ROWS;
  const auto* const bytes = reinterpret_cast<const uint8_t*>(x + pb_padded_cols(p));
  alignas(64) Sum acc[PB_TILE_ROWS] = {};
  for (int32_t g = 0; g < groups; ++g) {
    const int32_t begin = g * p->group;
    const int32_t end = p->cols - begin < p->group ? p->cols : begin + p->group;
    for (int32_t c = begin; c < end; c += PB_RUN) {
      const int32_t stop = end - c < PB_RUN ? end : c + PB_RUN;
      int32_t sums[PB_TILE_ROWS];
      auto sum = static_cast<int32_t>(group_sums[g]);
      if (end - begin > PB_RUN) {  // a group of several runs
        sum = 0;
        for (int32_t i = c; i < stop; ++i) sum += x[i];
      }
      tile_sums(
          p, {codes + static_cast<int64_t>(c) * PB_TILE_ROWS, x + c, bytes + c, (stop - c + 3) / 4},
          sums);
      add_run(sums, scales + g * PB_TILE_ROWS,
              static_cast<uint32_t>(p->levels) * static_cast<uint32_t>(sum), acc);
    }
  }
  for (int r = 0; r < rows; ++r) y[first + r] = pb_result(p, first + r, acc[r]);
}

// Rows of whole tiles but for the last; by the codes where there are no tiles.
inline void rows_by_tiles(const pb_product* p, const int16_t* x, const int64_t* sums, int32_t begin,
                          int32_t end, int32_t* y) {
  if (p->tiles == nullptr) {
    pb_product_codes(p, x, sums, begin, end, y);
    return;
  }
  for (int32_t t = begin / PB_TILE_ROWS; t * PB_TILE_ROWS < end; ++t) {
    p->narrow != 0 ? tile_rows<int32_t>(p, x, sums, t, y) : tile_rows<int64_t>(p, x, sums, t, y);
  }
}

constexpr IntegerFns kIntegerFns = {
    rows_by_tiles,    pb_linear,        pb_convolve,    pb_pool_run,       pb_rescale_run,
    pb_sqrt_run,      pb_binary_run,    pb_table_run,   pb_move_run,       pb_place_run,
    pb_lookup_run,    pb_reduce_run,    pb_softmax_run, pb_layer_norm_run, pb_matmul_run,
    pb_recurrent_run, pb_magnitude_run, pb_levels_run};

}  // namespace
}  // namespace pbatch
