#include "kernel/repack.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "pack/pack.h"

namespace pbatch {
namespace {

TEST(Repack, RowLanesHoldARowEach) {
  const std::int64_t rows = 37, cols = 75;
  std::mt19937_64 rng(11);
  std::vector<std::uint16_t> codes(static_cast<std::size_t>(rows * cols));
  for (auto& code : codes) code = rng() & 1;
  const auto bytes = static_cast<std::size_t>(plane_bytes(rows, cols));
  std::vector<std::uint8_t> plane(bytes), lanes(bytes);
  std::uint8_t* planes[1] = {plane.data()};
  pack_planes(codes.data(), rows, cols, 1, planes);
  repack_plane(plane.data(), plane_bytes(rows, cols) / kBlockBytes, kLayoutRowLanes, lanes.data());
  for (std::int64_t r = 0; r < row_blocks(rows) * 16; ++r) {
    for (std::int64_t c = 0; c < col_blocks(cols) * 32; ++c) {
      const std::int64_t block = (r / 16) * col_blocks(cols) + c / 32;
      const std::uint8_t byte =
          lanes[static_cast<std::size_t>(64 * block + 4 * (r % 16) + c % 32 / 8)];
      const int expected = r < rows && c < cols ? codes[static_cast<std::size_t>(r * cols + c)] : 0;
      ASSERT_EQ((byte >> (c % 8)) & 1, expected) << "row " << r << " column " << c;
    }
  }
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
