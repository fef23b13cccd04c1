#include "kernel/repack.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "layout/pack.h"

namespace pbatch {
namespace {

// Both layouts of whole bytes of a row: the byte of row r and columns 8 g .. 8 g + 7 of a block
// stands at row_step * r + byte_step * g.
void expect_bytes_of_rows(PlaneLayout layout, int row_step, int byte_step) {
  const std::int64_t rows = 37, cols = 75;
  std::mt19937_64 rng(11);
  std::vector<std::uint16_t> codes(static_cast<std::size_t>(rows * cols));
  for (auto& code : codes) code = rng() & 1;
  const auto bytes = static_cast<std::size_t>(plane_bytes(rows, cols));
  std::vector<std::uint8_t> plane(bytes), repacked(bytes);
  std::uint8_t* planes[1] = {plane.data()};
  pack_planes(codes.data(), rows, cols, 1, planes);
  repack_plane(plane.data(), plane_bytes(rows, cols) / kBlockBytes, layout, repacked.data());
  for (std::int64_t r = 0; r < row_blocks(rows) * 16; ++r) {
    for (std::int64_t c = 0; c < col_blocks(cols) * 32; ++c) {
      const std::int64_t block = (r / 16) * col_blocks(cols) + c / 32;
      const std::uint8_t byte = repacked[static_cast<std::size_t>(64 * block + row_step * (r % 16) +
                                                                  byte_step * (c % 32 / 8))];
      const int expected = r < rows && c < cols ? codes[static_cast<std::size_t>(r * cols + c)] : 0;
      ASSERT_EQ((byte >> (c % 8)) & 1, expected) << "row " << r << " column " << c;
    }
  }
}

TEST(Repack, RowLanesHoldARowEach) { expect_bytes_of_rows(kLayoutRowLanes, 4, 1); }

TEST(Repack, ColumnBytesHoldEightColumnsOfARowEach) {
  expect_bytes_of_rows(kLayoutColumnBytes, 1, 16);
}

TEST(Repack, CanonicalIsACopy) {
  std::vector<std::uint8_t> in(5 * kBlockBytes), out(in.size());
  std::mt19937_64 rng(12);
  for (auto& byte : in) byte = static_cast<std::uint8_t>(rng());
  repack_plane(in.data(), 5, kLayoutNibbles, out.data());
  EXPECT_EQ(in, out);
}

}  // namespace
}  // namespace pbatch
