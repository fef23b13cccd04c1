#include "layout/pack.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace pbatch {
namespace {

struct Planes {
  std::vector<std::vector<std::uint8_t>> bytes;
  std::vector<std::uint8_t*> pointers;
  Planes(std::int64_t rows, std::int64_t cols, int n) {
    const auto size = static_cast<std::size_t>(plane_bytes(rows, cols));
    bytes.assign(static_cast<std::size_t>(n), std::vector<std::uint8_t>(size, 0xee));
    for (auto& plane : bytes) pointers.push_back(plane.data());
  }
};

std::vector<std::uint16_t> random_codes(std::int64_t rows, std::int64_t cols, int n, int seed) {
  std::mt19937_64 rng(static_cast<unsigned>(seed));
  std::vector<std::uint16_t> codes(static_cast<std::size_t>(rows * cols));
  for (auto& code : codes) code = static_cast<std::uint16_t>(rng() & ((1u << n) - 1));
  return codes;
}

// The picture at the top of layout.h, spelled out byte by byte.
TEST(Pack, FollowsThePictureOfTheLayout) {
  const std::int64_t rows = 21, cols = 70;
  const int n = 3;
  const std::vector<std::uint16_t> codes = random_codes(rows, cols, n, 1);
  Planes planes(rows, cols, n);
  pack_planes(codes.data(), rows, cols, n, planes.pointers.data());
  ASSERT_EQ(plane_bytes(rows, cols), 2 * 3 * 64);
  for (int plane = 0; plane < n; ++plane) {
    std::size_t at = 0;
    for (std::int64_t row_block = 0; row_block < 2; ++row_block) {
      for (std::int64_t col_block = 0; col_block < 3; ++col_block) {
        for (int quad = 0; quad < 4; ++quad) {
          for (int v = 0; v < 8; ++v) {
            for (int q = 0; q < 2; ++q, ++at) {
              int expected = 0;
              for (int bit = 0; bit < 8; ++bit) {
                const std::int64_t row = 16 * row_block + 4 * quad + 2 * q + bit / 4;
                const std::int64_t col = 32 * col_block + 4 * v + bit % 4;
                if (row >= rows || col >= cols) continue;
                const int code = codes[static_cast<std::size_t>(row * cols + col)];
                expected |= ((code >> (n - 1 - plane)) & 1) << bit;
              }
              ASSERT_EQ(planes.bytes[static_cast<std::size_t>(plane)][at], expected)
                  << "plane " << plane << " byte " << at;
            }
          }
        }
      }
    }
  }
}

TEST(Pack, EveryPrefixUnpacksToTheTopBits) {
  for (int n = 1; n <= 16; ++n) {
    for (const auto& [rows, cols] :
         {std::pair<std::int64_t, std::int64_t>{1, 1}, {16, 32}, {17, 33}, {5, 100}, {40, 3}}) {
      const std::vector<std::uint16_t> codes = random_codes(rows, cols, n, n);
      Planes planes(rows, cols, n);
      pack_planes(codes.data(), rows, cols, n, planes.pointers.data());
      for (int prefix = 1; prefix <= n; ++prefix) {
        std::vector<std::uint16_t> actual(codes.size(), 0xffff);
        unpack_planes(planes.pointers.data(), prefix, rows, cols, actual.data());
        for (std::size_t i = 0; i < codes.size(); ++i) {
          ASSERT_EQ(actual[i], codes[i] >> (n - prefix)) << n << " bits, prefix " << prefix;
        }
        for (std::int64_t row = 0; row < rows; ++row) {
          for (std::int64_t col = 0; col < cols; ++col) {
            std::uint16_t block[kBlockCols];
            unpack_row(planes.pointers.data(), prefix, cols, row, col / kBlockCols, block);
            ASSERT_EQ(block[col % kBlockCols],
                      codes[static_cast<std::size_t>(row * cols + col)] >> (n - prefix))
                << n << " bits, prefix " << prefix << ", row " << row << ", column " << col;
          }
        }
      }
    }
  }
}

TEST(Pack, IgnoresBitsAboveTheCode) {
  const std::int64_t rows = 3, cols = 40;
  std::vector<std::uint16_t> codes = random_codes(rows, cols, 16, 7);
  Planes dirty(rows, cols, 5), clean(rows, cols, 5);
  pack_planes(codes.data(), rows, cols, 5, dirty.pointers.data());
  for (auto& code : codes) code &= 31;
  pack_planes(codes.data(), rows, cols, 5, clean.pointers.data());
  EXPECT_EQ(dirty.bytes, clean.bytes);
}

TEST(Layout, BlockBitsAreAPermutation) {
  std::vector<int> hits(512);
  for (int row = 0; row < kBlockRows; ++row) {
    for (int col = 0; col < kBlockCols; ++col) {
      ++hits[static_cast<std::size_t>(8 * block_byte(row, col) + block_bit(row, col))];
    }
  }
  EXPECT_EQ(hits, std::vector<int>(512, 1));
}

}  // namespace
}  // namespace pbatch
