// Products by tiles: rows of 16 side by side, portable. An ISA file defines PB_TILE_SUMS to have
// sums of its own.
#pragma once

#include "kernel/integer_fns.h"

namespace pbatch {
namespace {

#ifndef PB_TILE_SUMS
// sums[16] = sum of u x over `quads` times four columns of a tile.
inline void tile_sums(const uint8_t* tile, const int16_t* x, int32_t quads, int32_t* sums) {
  for (int r = 0; r < PB_TILE_ROWS; ++r) sums[r] = 0;
  for (int32_t k = 0; k < quads; ++k, tile += 4 * PB_TILE_ROWS, x += 4) {
    for (int r = 0; r < PB_TILE_ROWS; ++r) {
      sums[r] += tile[4 * r] * x[0] + tile[4 * r + 1] * x[1] + tile[4 * r + 2] * x[2] +
                 tile[4 * r + 3] * x[3];
    }
  }
}
#endif

// Adds q (2 sums - levels * sum of x) of a run. Both terms wrap; the difference fits.
template <class Sum>
inline void add_run(const int32_t* sums, const uint8_t* scales, int32_t groups, uint32_t less,
                    int rows, Sum* acc) {
  for (int r = 0; r < rows; ++r) {
    const auto sum = static_cast<int32_t>(2 * static_cast<uint32_t>(sums[r]) - less);
    const Sum q = scales != nullptr ? scales[r * groups] : 1;
    acc[r] += q * sum;
  }
}

template <class Sum>
inline void tile_rows(const pb_product* p, const int16_t* x, int32_t tile, int32_t* y) {
  const int32_t groups = pb_groups(p), quads = (p->cols + 3) / 4, first = tile * PB_TILE_ROWS;
  const int rows = p->rows - first < PB_TILE_ROWS ? p->rows - first : PB_TILE_ROWS;
  const uint8_t* const codes = p->tiles + static_cast<int64_t>(tile) * quads * 4 * PB_TILE_ROWS;
  const uint8_t* const scales =
      p->scales != nullptr ? p->scales + static_cast<int64_t>(first) * groups : nullptr;
  Sum acc[PB_TILE_ROWS] = {};
  for (int32_t g = 0; g < groups; ++g) {
    const int32_t end = p->cols - g * p->group < p->group ? p->cols : (g + 1) * p->group;
    for (int32_t c = g * p->group; c < end; c += PB_RUN) {
      const int32_t stop = end - c < PB_RUN ? end : c + PB_RUN;
      int32_t sums[PB_TILE_ROWS], sum = 0;
      for (int32_t i = c; i < stop; ++i) sum += x[i];
      tile_sums(codes + static_cast<int64_t>(c) * PB_TILE_ROWS, x + c, (stop - c + 3) / 4, sums);
      add_run(sums, scales != nullptr ? scales + g : nullptr, groups,
              static_cast<uint32_t>(p->levels) * static_cast<uint32_t>(sum), rows, acc);
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
    p->narrow != 0 ? tile_rows<int32_t>(p, x, t, y) : tile_rows<int64_t>(p, x, t, y);
  }
}

constexpr IntegerFns kIntegerFns = {
    rows_by_tiles, pb_linear,      pb_convolve,       pb_pool_run,   pb_rescale_run,
    pb_binary_run, pb_table_run,   pb_move_run,       pb_place_run,  pb_lookup_run,
    pb_reduce_run, pb_softmax_run, pb_layer_norm_run, pb_matmul_run, pb_recurrent_run};

}  // namespace
}  // namespace pbatch
