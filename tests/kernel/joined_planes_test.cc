#include "kernel/joined_planes.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <utility>
#include <vector>

#include "layout/pack.h"

namespace pbatch {
namespace {

std::vector<std::uint16_t> random_codes(std::int64_t count, int n_planes) {
  static std::mt19937_64 rng(13);
  std::vector<std::uint16_t> codes(static_cast<std::size_t>(count));
  for (auto& code : codes) code = static_cast<std::uint16_t>(rng() & ((1u << n_planes) - 1));
  return codes;
}

// Codes of [rows][cols], packed as planes, then joined.
std::vector<std::uint8_t> join(PlaneLayout layout, const std::vector<std::uint16_t>& codes,
                               std::int64_t rows, std::int64_t cols, int n_planes) {
  const auto bytes = static_cast<std::size_t>(plane_bytes(rows, cols));
  std::vector<std::vector<std::uint8_t>> planes(8, std::vector<std::uint8_t>(bytes));
  std::vector<std::uint8_t*> pointers;
  for (auto& plane : planes) pointers.push_back(plane.data());
  pack_planes(codes.data(), rows, cols, n_planes, pointers.data());
  const std::int64_t down = row_blocks(rows), across = col_blocks(cols);
  std::vector<std::uint8_t> joined(
      static_cast<std::size_t>(joined_bytes(layout, down, across, n_planes)), 0xee);
  join_planes(layout, pointers.data(), n_planes, down, across, joined.data());
  return joined;
}

TEST(JoinedPlanes, FieldsHoldWholeWeights) {
  const std::int64_t cols = 75;
  // Rows, planes, bits of a field and row blocks of a band, written out.
  const int expected[][4] = {{150, 1, 1, 8}, {150, 2, 2, 4}, {150, 3, 4, 2}, {150, 4, 4, 2},
                             {150, 5, 8, 1}, {150, 6, 8, 1}, {150, 7, 8, 1}, {150, 8, 8, 1},
                             {16, 1, 8, 1},  {17, 1, 4, 2},  {48, 1, 4, 2},  {49, 1, 2, 4},
                             {112, 1, 2, 4}, {113, 1, 1, 8}, {32, 2, 4, 2},  {3, 4, 8, 1}};
  for (const auto& [rows, n_planes, bits, band] : expected) {
    const std::vector<std::uint16_t> codes = random_codes(rows * cols, n_planes);
    const std::int64_t down = row_blocks(rows), across = col_blocks(cols);
    const std::int64_t size = (down + band - 1) / band * across * 512;
    const std::vector<std::uint8_t> fields = join(kLayoutFields, codes, rows, cols, n_planes);
    ASSERT_EQ(static_cast<std::int64_t>(fields.size()), size);
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

TEST(JoinedPlanes, DenseWeightsFillTheSpareBits) {
  // By stored bits and byte vector, where its bits stand, the lowest first: byte vector and place.
  using Place = std::pair<int, int>;
  const std::map<std::pair<int, int>, std::vector<Place>> spare = {
      {{5, 5}, {{0, 5}, {0, 6}, {0, 7}, {1, 6}, {1, 7}}},
      {{5, 6}, {{2, 5}, {2, 6}, {2, 7}, {3, 6}, {3, 7}}},
      {{5, 7}, {{4, 5}, {4, 6}, {4, 7}, {1, 5}, {3, 5}}},
      {{6, 6}, {{0, 6}, {0, 7}, {1, 6}, {1, 7}, {2, 6}, {2, 7}}},
      {{6, 7}, {{3, 6}, {3, 7}, {4, 6}, {4, 7}, {5, 6}, {5, 7}}},
      {{7, 7}, {{0, 7}, {1, 7}, {2, 7}, {3, 7}, {4, 7}, {5, 7}, {6, 7}}}};
  // Planes, stored bits of a byte, row blocks that share it.
  const int expected[][3] = {{3, 6, 2}, {5, 5, 1}, {6, 6, 1}, {7, 7, 1}};
  const std::int64_t rows = 37, cols = 75;
  const std::int64_t down = row_blocks(rows), across = col_blocks(cols);
  for (const auto& row : expected) {
    const int n_planes = row[0], stored = row[1], band = row[2];
    const std::vector<std::uint16_t> codes = random_codes(rows * cols, n_planes);
    const std::vector<std::uint8_t> dense = join(kLayoutDense, codes, rows, cols, n_planes);
    const std::int64_t bands = (down + band - 1) / band;
    ASSERT_EQ(static_cast<std::int64_t>(dense.size()), bands * across * 64 * stored);
    for (std::int64_t r = 0; r < bands * band * 16; ++r) {
      for (std::int64_t c = 0; c < across * 32; ++c) {
        const int v = static_cast<int>(c % 32 / 4);
        const auto byte = [&](int vector) -> int {
          const std::int64_t block = r / 16 / band * across + c / 32;
          return dense[static_cast<std::size_t>(64 * (stored * block + vector) + 4 * (r % 16) +
                                                c % 4)];
        };
        const int lowest = static_cast<int>(band - 1 - r / 16 % band) * n_planes;
        int code = 0;
        for (int bit = 0; bit < n_planes; ++bit) {
          const int k = lowest + bit;
          const auto [vector, place] =
              v < stored ? Place{v, k} : spare.at({stored, v})[static_cast<std::size_t>(k)];
          code |= ((byte(vector) >> place) & 1) << bit;
        }
        const bool inside = r < rows && c < cols;
        ASSERT_EQ(code, inside ? codes[static_cast<std::size_t>(r * cols + c)] : 0)
            << n_planes << " planes, row " << r << ", column " << c;
      }
    }
  }
}

TEST(JoinedPlanes, OtherwiseDenseWeightsAreFields) {
  for (const auto& [rows, n_planes] : {std::pair{37, 1}, {37, 2}, {37, 4}, {37, 8}, {16, 3}}) {
    const std::vector<std::uint16_t> codes = random_codes(rows * 75, n_planes);
    EXPECT_EQ(join(kLayoutDense, codes, rows, 75, n_planes),
              join(kLayoutFields, codes, rows, 75, n_planes));
  }
}

}  // namespace
}  // namespace pbatch
