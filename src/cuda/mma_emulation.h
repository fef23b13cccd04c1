// The tensor core operations that the kernels use, on the host. Fragments are those of the PTX ISA:
// lane 4 g + t holds, of
//   A, 16 x 128 bits:  register h: row g + 8 h, columns 32 t .. 32 t + 31, bit i: column 32 t + i
//   B, 128 x 8 bits:   rows 32 t .. 32 t + 31 of column g
//   A, 16 x 32 bytes:  register 2 i + h: row g + 8 h, columns 16 i + 4 t .. + 3
//   B, 32 x 8 bytes:   register i: rows 16 i + 4 t .. + 3 of column g
//   C, 16 x 8 int32:   register 2 h + n: row g + 8 h, column 2 t + n.
#pragma once

#include <bit>
#include <cstdint>

#include "cuda/lanes.h"

namespace pbatch::cuda {

using LaneWords = Lanes<std::uint32_t>;

/// For each element of C, adds fn(lane of A's row, register half h, lane of B's column) over t.
template <class Fn>
inline void emulate_mma(LaneWords (&c)[4], const Fn& fn) {
  for (int lane = 0; lane < 32; ++lane) {
    for (int h = 0; h < 2; ++h) {
      for (int n = 0; n < 2; ++n) {
        std::uint32_t sum = 0;
        for (int t = 0; t < 4; ++t) sum += fn(lane / 4 * 4 + t, h, (lane % 4 * 2 + n) * 4 + t);
        c[2 * h + n].v[lane] += sum;
      }
    }
  }
}

/// mma.m16n8k128.b1.and.popc: c += popc(a & b).
inline void emulate_mma_and(LaneWords (&c)[4], const LaneWords& a0, const LaneWords& a1,
                            const LaneWords& b) {
  emulate_mma(c, [&](int row, int h, int col) {
    return static_cast<std::uint32_t>(std::popcount((h == 0 ? a0 : a1).v[row] & b.v[col]));
  });
}

/// mma.m8n8k128.b1.xor.popc, once for each half of the rows: c += popc(a ^ b).
inline void emulate_mma_xor(LaneWords (&c)[4], const LaneWords& a0, const LaneWords& a1,
                            const LaneWords& b) {
  emulate_mma(c, [&](int row, int h, int col) {
    return static_cast<std::uint32_t>(std::popcount((h == 0 ? a0 : a1).v[row] ^ b.v[col]));
  });
}

/// mma.m16n8k32.u8.s8: c += a b, bytes of a unsigned, of b signed.
inline void emulate_mma_bytes(LaneWords (&c)[4], const LaneWords (&a)[4], const LaneWords (&b)[2]) {
  emulate_mma(c, [&](int row, int h, int col) {
    std::int32_t sum = 0;
    for (int i = 0; i < 2; ++i) {
      for (int byte = 0; byte < 4; ++byte) {
        sum += static_cast<std::uint8_t>(a[2 * i + h].v[row] >> (8 * byte)) *
               static_cast<std::int8_t>(b[i].v[col] >> (8 * byte));
      }
    }
    return static_cast<std::uint32_t>(sum);
  });
}

}  // namespace pbatch::cuda
