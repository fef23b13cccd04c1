#include "kernel/repack.h"

#include <cstring>

namespace pbatch {
namespace {

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
    case kLayoutFields:
    case kLayoutDense:  // not of one plane
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

}  // namespace pbatch
