#include "kernel/repack.h"

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

// Eight columns of a row, two nibbles of the canonical block, go to byte row_step * row + byte_step
// * (column / 8).
void repack_block_to_bytes(const std::uint8_t* in, int row_step, int byte_step, std::uint8_t* out) {
  for (int row = 0; row < kBlockRows; ++row) {
    for (int byte = 0; byte < kBlockCols / 8; ++byte) {
      const int shift = block_bit(row, 0);
      const int low = (in[block_byte(row, 8 * byte)] >> shift) & 0x0f;
      const int high = (in[block_byte(row, 8 * byte + 4)] >> shift) & 0x0f;
      out[row_step * row + byte_step * byte] = static_cast<std::uint8_t>(low | (high << 4));
    }
  }
}

}  // namespace

void repack_plane(const std::uint8_t* in, std::int64_t blocks, PlaneLayout to, std::uint8_t* out) {
  switch (to) {
    case kLayoutFields:  // not of one plane
      return;
    case kLayoutNibbles:
      std::memcpy(out, in, static_cast<std::size_t>(blocks * kBlockBytes));
      return;
    case kLayoutRowLanes:
      for (std::int64_t block = 0; block < blocks; ++block) {
        repack_block_to_bytes(in + block * kBlockBytes, kBlockCols / 8, 1,
                              out + block * kBlockBytes);
      }
      return;
    case kLayoutColumnBytes:
      for (std::int64_t block = 0; block < blocks; ++block) {
        repack_block_to_bytes(in + block * kBlockBytes, 1, kBlockRows, out + block * kBlockBytes);
      }
      return;
  }
}

std::int64_t fields_bytes(std::int64_t row_blocks, std::int64_t col_blocks, int n_planes) {
  const int band = 8 / field_bits(n_planes, row_blocks);
  return (row_blocks + band - 1) / band * col_blocks * kBandBlockBytes;
}

void repack_fields(const std::uint8_t* const planes[], int n_planes, std::int64_t row_blocks,
                   std::int64_t col_blocks, std::uint8_t* out) {
  const int field = field_bits(n_planes, row_blocks), band = 8 / field;
  for (std::int64_t first = 0; first < row_blocks; first += band) {
    for (std::int64_t col_block = 0; col_block < col_blocks; ++col_block) {
      std::array<std::uint32_t, kBandBlockBytes / 4> lanes{};
      for (int m = 0; m < band && first + m < row_blocks; ++m) {
        const std::int64_t block = (first + m) * col_blocks + col_block;
        for (int p = 0; p < n_planes; ++p) {
          const int place = 8 - field * (m + 1) + n_planes - 1 - p;
          add_block_to_fields(planes[p] + block * kBlockBytes, place, lanes.data());
        }
      }
      std::memcpy(out, lanes.data(), kBandBlockBytes);  // little-endian, as all ISAs here are
      out += kBandBlockBytes;
    }
  }
}

}  // namespace pbatch
