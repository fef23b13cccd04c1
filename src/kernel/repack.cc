#include "kernel/repack.h"

#include <cstring>

namespace pbatch {
namespace {

void repack_block_to_row_lanes(const std::uint8_t* in, std::uint8_t* out) {
  for (int row = 0; row < kBlockRows; ++row) {
    for (int byte = 0; byte < kBlockCols / 8; ++byte) {
      // Eight columns of a row are two nibbles of the canonical block.
      const int shift = block_bit(row, 0);
      const int low = (in[block_byte(row, 8 * byte)] >> shift) & 0x0f;
      const int high = (in[block_byte(row, 8 * byte + 4)] >> shift) & 0x0f;
      out[4 * row + byte] = static_cast<std::uint8_t>(low | (high << 4));
    }
  }
}

}  // namespace

void repack_plane(const std::uint8_t* in, std::int64_t blocks, PlaneLayout to, std::uint8_t* out) {
  switch (to) {
    case kLayoutNibbles:
      std::memcpy(out, in, static_cast<std::size_t>(blocks * kBlockBytes));
      return;
    case kLayoutRowLanes:
      for (std::int64_t block = 0; block < blocks; ++block) {
        repack_block_to_row_lanes(in + block * kBlockBytes, out + block * kBlockBytes);
      }
      return;
  }
}

}  // namespace pbatch
