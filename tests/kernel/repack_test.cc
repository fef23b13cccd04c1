#include "kernel/repack.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "pack/pack.h"

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

TEST(Repack, FieldsHoldWholeWeights) {
  const std::int64_t cols = 75;
  std::mt19937_64 rng(13);
  // Rows, planes, bits of a field and row blocks of a band, written out.
  const int expected[][4] = {{150, 1, 1, 8}, {150, 2, 2, 4}, {150, 3, 4, 2}, {150, 4, 4, 2},
                             {150, 5, 8, 1}, {150, 6, 8, 1}, {150, 7, 8, 1}, {150, 8, 8, 1},
                             {16, 1, 8, 1},  {17, 1, 4, 2},  {48, 1, 4, 2},  {49, 1, 2, 4},
                             {112, 1, 2, 4}, {113, 1, 1, 8}, {32, 2, 4, 2},  {3, 4, 8, 1}};
  for (const auto& [rows, n_planes, bits, band] : expected) {
    std::vector<std::uint16_t> codes(static_cast<std::size_t>(rows * cols));
    for (auto& code : codes) code = static_cast<std::uint16_t>(rng() & ((1u << n_planes) - 1));
    const auto bytes = static_cast<std::size_t>(plane_bytes(rows, cols));
    std::vector<std::vector<std::uint8_t>> planes(8, std::vector<std::uint8_t>(bytes));
    std::vector<std::uint8_t*> pointers;
    for (auto& plane : planes) pointers.push_back(plane.data());
    pack_planes(codes.data(), rows, cols, n_planes, pointers.data());

    const std::int64_t down = row_blocks(rows), across = col_blocks(cols);
    const std::int64_t size = (down + band - 1) / band * across * 512;
    ASSERT_EQ(fields_bytes(down, across, n_planes), size);
    std::vector<std::uint8_t> fields(static_cast<std::size_t>(size), 0xee);
    repack_fields(pointers.data(), n_planes, down, across, fields.data());
    for (std::int64_t r = 0; r < (down + band - 1) / band * band * 16; ++r) {
      for (std::int64_t c = 0; c < across * 32; ++c) {
        const std::int64_t block = r / 16 / band * across + c / 32;
        const std::uint8_t byte = fields[static_cast<std::size_t>(512 * block + 64 * (c % 32 / 4) +
                                                                  4 * (r % 16) + c % 4)];
        const int field = static_cast<int>(r / 16 % band);
        const int code = r < rows && c < cols ? codes[static_cast<std::size_t>(r * cols + c)] : 0;
        ASSERT_EQ((byte >> (8 - bits * (field + 1))) & ((1 << bits) - 1), code)
            << rows << " rows, " << n_planes << " planes, row " << r << ", column " << c;
      }
    }
  }
}

}  // namespace
}  // namespace pbatch
