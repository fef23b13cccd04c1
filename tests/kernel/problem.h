// A product of one weight digit with a batch of vectors, laid out as kernel.h asks. Shared by the
// kernel tests and the fuzz target, so it knows nothing of a test framework.
#pragma once

#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "kernel/joined_planes.h"
#include "kernel/kernel.h"
#include "kernel/registry.h"
#include "kernel/repack.h"
#include "layout/pack.h"

namespace pbatch::testing {

struct Shape {
  std::int64_t rows = 1, cols = 1, batch = 1;
  int n_planes = 1, activation_bits = 8, run_blocks = 1;

  std::int64_t col_blocks() const { return pbatch::col_blocks(cols); }
  std::int64_t row_blocks() const { return pbatch::row_blocks(rows); }
  std::int64_t padded_cols() const { return col_blocks() * kBlockCols; }
  std::int64_t runs() const { return (col_blocks() + run_blocks - 1) / run_blocks; }
  int halves() const { return activation_halves(activation_bits); }
  std::int64_t acc_stride() const { return row_blocks() * kBlockRows; }
};

struct Problem {
  Shape shape;
  std::vector<std::uint16_t> codes;  // [rows][cols], n_planes bits each
  std::vector<std::uint8_t> scales;  // [row_blocks][runs][16]
  std::vector<std::int32_t> q;       // [batch][padded_cols]
};

// Written anew, not by kernel.h's own helpers.
inline std::int32_t half_of(std::int32_t q, int half, int activation_bits) {
  if (activation_bits != 32) return q;
  std::int32_t low = q % 32768;
  if (low > 16383) low -= 32768;
  if (low < -16384) low += 32768;
  return half == 0 ? (q - low) / 32768 : low;
}

inline std::int32_t q_max(int activation_bits) {
  return activation_bits == 8 ? 127 : activation_bits == 16 ? 127 * 256 + 127 : 1 << 29;
}

/// A problem of that shape with all codes 0, all scales 1 and all activations 0.
inline Problem blank_problem(const Shape& shape) {
  Problem p;
  p.shape = shape;
  p.codes.resize(static_cast<std::size_t>(shape.rows * shape.cols));
  p.scales.resize(static_cast<std::size_t>(shape.row_blocks() * shape.runs() * kBlockRows));
  for (std::int64_t rb = 0; rb < shape.row_blocks(); ++rb) {
    for (std::int64_t run = 0; run < shape.runs(); ++run) {
      for (int r = 0; r < kBlockRows; ++r) {
        const bool padding = rb * kBlockRows + r >= shape.rows;
        p.scales[static_cast<std::size_t>((rb * shape.runs() + run) * kBlockRows + r)] =
            padding ? 0 : 1;
      }
    }
  }
  p.q.resize(static_cast<std::size_t>(shape.batch * shape.padded_cols()));
  return p;
}

inline Problem random_problem(const Shape& shape, std::mt19937_64& rng) {
  Problem p = blank_problem(shape);
  for (auto& code : p.codes)
    code = static_cast<std::uint16_t>(rng() & ((1u << shape.n_planes) - 1));
  for (auto& scale : p.scales) scale = scale == 0 ? 0 : static_cast<std::uint8_t>(rng());
  const std::int64_t limit = q_max(shape.activation_bits);
  std::uniform_int_distribution<std::int64_t> value(-limit, limit);
  for (std::int64_t v = 0; v < shape.batch; ++v) {
    for (std::int64_t c = 0; c < shape.cols; ++c) {
      p.q[static_cast<std::size_t>(v * shape.padded_cols() + c)] =
          static_cast<std::int32_t>(value(rng));
    }
  }
  return p;
}

/// Sums of each run, from the definition: [batch][halves][runs].
inline std::vector<std::int32_t> run_sums_of(const Problem& p) {
  const Shape& s = p.shape;
  std::vector<std::int32_t> sums(static_cast<std::size_t>(s.batch * s.halves() * s.runs()));
  for (std::int64_t v = 0; v < s.batch; ++v) {
    for (int h = 0; h < s.halves(); ++h) {
      for (std::int64_t c = 0; c < s.padded_cols(); ++c) {
        const std::int64_t run = c / (s.run_blocks * kBlockCols);
        sums[static_cast<std::size_t>((v * s.halves() + h) * s.runs() + run)] +=
            half_of(p.q[static_cast<std::size_t>(v * s.padded_cols() + c)], h, s.activation_bits);
      }
    }
  }
  return sums;
}

struct alignas(64) Line {
  std::uint8_t bytes[64];
};

/// What untouched accumulators hold: a NaN that no kernel makes.
inline constexpr std::uint32_t kUntouched = 0x7fedcba9;

/// Runs a kernel on row blocks begin .. end - 1 and returns the bits of the accumulators,
/// [batch][halves][acc_stride], kUntouched where the kernel wrote nothing.
inline std::vector<std::uint32_t> run_kernel(const BitKernel& kernel, const Problem& p,
                                             std::int64_t row_block_begin,
                                             std::int64_t row_block_end) {
  const Shape& s = p.shape;
  const std::int64_t bytes = plane_bytes(s.rows, s.cols);
  // Planes in a mapped file are not aligned, so none is here.
  std::vector<std::vector<std::uint8_t>> planes(static_cast<std::size_t>(s.n_planes));
  std::vector<std::uint8_t*> canonical;
  for (auto& plane : planes) {
    plane.resize(static_cast<std::size_t>(bytes + 1));
    canonical.push_back(plane.data() + 1);
  }
  pack_planes(p.codes.data(), s.rows, s.cols, s.n_planes, canonical.data());

  BitKernelArgs args = {};
  std::vector<std::uint8_t> repacked(static_cast<std::size_t>(bytes));
  if (joins_planes(kernel.layout)) {
    repacked.resize(static_cast<std::size_t>(
        joined_bytes(kernel.layout, s.row_blocks(), s.col_blocks(), s.n_planes)));
    join_planes(kernel.layout, canonical.data(), s.n_planes, s.row_blocks(), s.col_blocks(),
                repacked.data());
    args.planes[0] = repacked.data();
  } else {
    for (int i = 0; i < s.n_planes; ++i) {
      std::uint8_t* plane = canonical[static_cast<std::size_t>(i)];
      repack_plane(plane, bytes / kBlockBytes, kernel.layout, repacked.data());
      std::memcpy(plane, repacked.data(), repacked.size());
      args.planes[i] = plane;
    }
  }
  args.n_planes = s.n_planes;
  args.row_blocks = s.row_blocks();
  args.col_blocks = s.col_blocks();
  args.run_blocks = s.run_blocks;
  args.scales = p.scales.data();
  args.activation_bits = s.activation_bits;
  args.prefetch = static_cast<int>(s.cols % 2);  // of no consequence for the result

  args.activation_stride = packed_bytes(kernel.activations, s.col_blocks(), s.activation_bits);
  std::vector<Line> packed(static_cast<std::size_t>(args.activation_stride / 64 * s.batch));
  args.activations = packed.front().bytes;
  for (std::int64_t v = 0; v < s.batch; ++v) {
    packer_for(kernel.isa, kernel.activations)
        .run(p.q.data() + v * s.padded_cols(), s.col_blocks(), s.activation_bits,
             packed[static_cast<std::size_t>(args.activation_stride / 64 * v)].bytes);
  }
  const std::vector<std::int32_t> run_sums = run_sums_of(p);
  args.run_sums = run_sums.data();
  args.batch = s.batch;

  std::vector<std::uint32_t> bits(static_cast<std::size_t>(s.batch * s.halves() * s.acc_stride()),
                                  kUntouched);
  std::vector<float> acc(bits.size());
  std::memcpy(acc.data(), bits.data(), bits.size() * sizeof(float));
  args.acc = acc.data();
  args.acc_stride = s.acc_stride();
  kernel.run(&args, row_block_begin, row_block_end);
  std::memcpy(bits.data(), acc.data(), bits.size() * sizeof(float));
  return bits;
}

inline std::vector<std::uint32_t> run_kernel(const BitKernel& kernel, const Problem& p) {
  return run_kernel(kernel, p, 0, p.shape.row_blocks());
}

}  // namespace pbatch::testing
