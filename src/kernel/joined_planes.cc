#include "kernel/joined_planes.h"

#include <array>
#include <cstring>

namespace pbatch {
namespace {

// Bit j of the index in the lowest bit of byte j.
constexpr std::array<std::uint32_t, 16> kSpread = [] {
  std::array<std::uint32_t, 16> spread{};
  for (std::uint32_t nibble = 0; nibble < 16; ++nibble) {
    for (std::uint32_t j = 0; j < 4; ++j) spread[nibble] |= ((nibble >> j) & 1) << (8 * j);
  }
  return spread;
}();

// Adds one canonical block of a plane to the 8 x 16 lanes of a band's column block, at bit `place`.
void add_block_to_fields(const std::uint8_t* in, int place, std::uint32_t* lanes) {
  for (int v = 0; v < kBlockCols / 4; ++v) {
    for (int row = 0; row < kBlockRows; ++row) {
      const int nibble = (in[block_byte(row, 4 * v)] >> block_bit(row, 0)) & 0x0f;
      lanes[kBlockRows * v + row] |= kSpread[static_cast<std::size_t>(nibble)] << place;
    }
  }
}

// The bits of the byte vectors beyond the stored ones, in spare bits of those.
void fill_spare_bits(int stored, std::uint8_t (*bytes)[kBlockBytes]) {
  for (int v = stored; v < 8; ++v) {
    for (int k = 0; k < stored; ++k) {
      const DenseBit to = dense_bit(stored, v, k);
      for (int i = 0; i < kBlockBytes; ++i) {
        bytes[to.vector][i] =
            static_cast<std::uint8_t>(bytes[to.vector][i] | ((bytes[v][i] >> k) & 1) << to.place);
      }
    }
  }
}

}  // namespace

std::int64_t joined_bytes(PlaneLayout layout, std::int64_t row_blocks, std::int64_t col_blocks,
                          int n_planes) {
  const int field = joined_field_bits(layout, n_planes, row_blocks), band = 8 / field;
  return (row_blocks + band - 1) / band * col_blocks * stored_bits(field) * kBlockBytes;
}

void join_planes(PlaneLayout layout, const std::uint8_t* const planes[], int n_planes,
                 std::int64_t row_blocks, std::int64_t col_blocks, std::uint8_t* out) {
  const int field = joined_field_bits(layout, n_planes, row_blocks), band = 8 / field;
  const int stored = stored_bits(field);
  for (std::int64_t first = 0; first < row_blocks; first += band) {
    for (std::int64_t col_block = 0; col_block < col_blocks; ++col_block) {
      // Bytes [8][16][4] in 32-bit lanes; little-endian, as all ISAs here are.
      std::array<std::uint32_t, 8 * kBlockRows> lanes{};
      for (int m = 0; m < band && first + m < row_blocks; ++m) {
        const std::int64_t block = (first + m) * col_blocks + col_block;
        for (int p = 0; p < n_planes; ++p) {
          const int place = field * (band - 1 - m) + n_planes - 1 - p;
          add_block_to_fields(planes[p] + block * kBlockBytes, place, lanes.data());
        }
      }
      std::uint8_t bytes[8][kBlockBytes];
      std::memcpy(bytes, lanes.data(), sizeof bytes);
      fill_spare_bits(stored, bytes);
      const auto size = static_cast<std::size_t>(stored * kBlockBytes);
      std::memcpy(out, bytes, size);
      out += size;
    }
  }
}

}  // namespace pbatch
