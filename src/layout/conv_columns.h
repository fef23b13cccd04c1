// The order of the columns in a convolution's matrix of weights.
#pragma once

#include <algorithm>
#include <cstdint>

namespace pbatch {

/// [blocks of 16 channels][kernel][channels of the block]; the last block may have fewer. The
/// channels of a block are neighbours in an image that has its channels last, and what shares a
/// group of columns are all taps of a few channels: channels differ more than taps do.
struct ConvColumnOrder {
  static constexpr std::int64_t kBlock = 16;

  std::int64_t channels = 1, taps = 1;

  std::int64_t blocks() const { return (channels + kBlock - 1) / kBlock; }
  /// Channels of a block.
  std::int64_t width(std::int64_t block) const {
    return std::min(kBlock, channels - block * kBlock);
  }
  /// The column of a block's first channel.
  std::int64_t column(std::int64_t block, std::int64_t tap) const {
    return block * kBlock * taps + tap * width(block);
  }
  std::int64_t channel_of(std::int64_t column) const {
    const std::int64_t block = column / (kBlock * taps);
    return block * kBlock + (column - block * kBlock * taps) % width(block);
  }
  std::int64_t tap_of(std::int64_t column) const {
    const std::int64_t block = column / (kBlock * taps);
    return (column - block * kBlock * taps) / width(block);
  }
};

}  // namespace pbatch
