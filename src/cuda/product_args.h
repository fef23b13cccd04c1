// A bit-layer product on the device: y = W x for a small batch, from packed vectors to results.
#pragma once

#include <stdint.h>

#include "cuda/layout.h"
#include "kernel/epilogue.h"

namespace pbatch::cuda {

/// All pointers are of device memory (in the emulation: of the host's), aligned to 16 bytes but for
/// row_scale, bias and y. Layouts: layout.h.
struct ProductArgs {
  const uint32_t* planes;  ///< [>= weight_bits][row_blocks][slabs][128], most significant first
  int64_t plane_stride;    ///< words from one plane to the next
  int weight_bits;         ///< 1 to 16
  int64_t rows;
  int64_t row_blocks, slabs, runs;  ///< runs: without those that only pad the last slab
  int run_blocks;                   ///< blocks of 32 columns in a run: 1, 2 or 4
  const uint8_t* scales;            ///< of this width
  const float* row_scale;           ///< [rows]
  const float* bias;                ///< [rows] or null
  Activation activation;

  int activation_bits;             ///< 8, 16 or 32
  int batch;                       ///< 1 to kMaxBatch; Method::gemm: any
  const uint32_t* activations;     ///< [batch][activation_words()]
  const int32_t* run_sums;         ///< [batch][halves][slabs][runs of a slab]
  const float* activation_scales;  ///< [batch]

  float* y;  ///< out: [batch][ldy], rows of each
  int64_t ldy;

  /// Terms of the runs, where they do not stay in a block's shared memory:
  /// [row_blocks][term_floats()]. Null: they do, and splits is 1.
  float* terms;
  uint32_t* arrivals;  ///< [row_blocks], all 0 before and after a launch; null if splits is 1
  int splits;          ///< blocks that share the columns of a row block
};

/// Vectors of a product; with Method::gemm there may be more.
inline constexpr int kMaxBatch = 8;
/// Digits of vectors that a warp of Method::gemm takes.
inline constexpr int kGemmColumns = 64;

PBATCH_HD constexpr int halves_of(int activation_bits) { return activation_bits == 32 ? 2 : 1; }
/// Digits of the weights, of up to 8 planes.
PBATCH_HD constexpr int digits_of(int weight_bits) { return weight_bits > 8 ? 2 : 1; }

/// The terms of one row: as many floats as runs and some more, so that rows lie in different banks
/// of shared memory and every row is aligned to 16 bytes.
PBATCH_HD constexpr int64_t term_stride(int64_t slabs, int run_blocks) {
  return (slabs * slab_runs(run_blocks) + 27) / 32 * 32 + 4;
}
/// Floats that the terms of a row block take: [batch][digits][halves][16][term_stride].
PBATCH_HD constexpr int64_t term_floats(const ProductArgs& args) {
  return args.batch * digits_of(args.weight_bits) * halves_of(args.activation_bits) * 16 *
         term_stride(args.slabs, args.run_blocks);
}

}  // namespace pbatch::cuda
