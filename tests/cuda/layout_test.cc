#include "cuda/layout.h"

#include <gtest/gtest.h>

#include <set>

#include "cuda/product_args.h"
#include "cuda/product_block.h"
#include "cuda/repack.h"
#include "tests/cuda/layer.h"
#include "tests/kernel/time_box.h"

namespace pbatch::testing {
namespace {

using namespace pbatch::cuda;  // NOLINT(google-build-using-namespace)

TEST(CudaLayout, AColumnHasOnePlace) {
  std::set<int> places;
  for (int col = 0; col < kSlabCols; ++col) {
    const ColumnPlace place = column_place(col);
    EXPECT_EQ(column_at(place.t, place.j, place.bit), col);
    places.insert((place.t * 2 + place.j) * 32 + place.bit);
  }
  EXPECT_EQ(places.size(), static_cast<std::size_t>(kSlabCols));
  EXPECT_EQ(*places.rbegin(), kSlabCols - 1);
}

// Every bit of a repacked plane is that of the row and column that the layout says, or padding.
TEST(CudaLayout, APlaneHasEveryWeightInItsPlace) {
  std::mt19937_64 rng(kSeed);
  for (const std::int64_t cols : {1, 31, 33, 256, 257, 700}) {
    DeviceLayer layer;
    layer.rows = 21;
    layer.cols = cols;
    fill(layer, rng);
    const std::int64_t slabs = slabs_of(layer.col_blocks());
    std::vector<std::uint32_t> words(
        static_cast<std::size_t>(plane_words(layer.row_blocks(), slabs)), 0xffffffff);
    cuda::repack_plane(planes_of(layer)[0].data(), layer.row_blocks(), layer.col_blocks(),
                       words.data());
    for (std::int64_t r = 0; r < layer.row_blocks() * 16; ++r) {
      for (std::int64_t c = 0; c < slabs * kSlabCols; ++c) {
        const ColumnPlace place = column_place(static_cast<int>(c % kSlabCols));
        const std::int64_t lane = r % 8 * 4 + place.t, word = 2 * place.j + r % 16 / 8;
        const std::uint32_t bits = words[static_cast<std::size_t>(
            ((r / 16 * slabs + c / kSlabCols) * kLanes + lane) * 4 + word)];
        const bool inside = r < layer.rows && c < layer.cols;
        const unsigned want =
            inside ? layer.codes[static_cast<std::size_t>(r * layer.cols + c)] : 0u;
        ASSERT_EQ(bits >> place.bit & 1, want) << "row " << r << " column " << c;
      }
    }
  }
}

// The columns of a block are the bits 2 k and 2 k + 1 of every byte.
TEST(CudaLayout, ABlockIsAMask) {
  for (int col = 0; col < kSlabCols; ++col) {
    const ColumnPlace place = column_place(col);
    EXPECT_EQ(place.j, col / 128);
    EXPECT_NE(0x03030303u << (2 * (col / 32 % 4)) & (1u << place.bit), 0u);
  }
}

TEST(CudaLayout, ScalesLieWhereTheLaneWantsThem) {
  for (const int run_blocks : {1, 2, 4}) {
    const std::int64_t slabs = 3, runs = slabs * slab_runs(run_blocks) - 1;
    std::set<std::int64_t> places;
    for (std::int64_t rb = 0; rb < 2; ++rb) {
      for (std::int64_t run = 0; run < runs; ++run) {
        for (int row = 0; row < 16; ++row) {
          const std::int64_t at = scale_at(rb, row, run, slabs, run_blocks);
          places.insert(at);
          // [row block][slab][lane][held]: the sum's number, cut into the four lanes of row g.
          const std::int64_t held = held_sums(run_blocks);
          const std::int64_t number = run % slab_runs(run_blocks) * 2 + row / 8;
          const std::int64_t lane = row % 8 * 4 + number / held;
          EXPECT_EQ(
              at, ((rb * slabs + run / slab_runs(run_blocks)) * 32 + lane) * held + number % held);
        }
      }
    }
    EXPECT_EQ(places.size(), static_cast<std::size_t>(2 * runs * 16));
    EXPECT_LT(*places.rbegin(), scale_bytes(2, slabs, run_blocks));
  }
}

TEST(CudaLayout, TermsOfEightRowsLieInDifferentBanks) {
  for (const int run_blocks : {1, 2, 4}) {
    for (std::int64_t slabs = 1; slabs < 40; ++slabs) {
      const std::int64_t stride = term_stride(slabs, run_blocks);
      EXPECT_GE(stride, slabs * slab_runs(run_blocks));
      EXPECT_EQ(stride % 32, 4);
    }
  }
}

TEST(CudaLayout, SplitsAndWarpsShareAllSlabsOnce) {
  for (std::int64_t slabs = 1; slabs < 30; ++slabs) {
    for (const int splits : {1, 2, 5}) {
      for (const int warps : {1, 3, 8}) {
        std::multiset<std::int64_t> seen;
        for (int split = 0; split < splits; ++split) {
          for (int warp = 0; warp < warps; ++warp) {
            const SlabRange range = slab_range(slabs, split, splits, warp, warps);
            for (std::int64_t s = range.first; s < range.end; s += range.step) seen.insert(s);
          }
        }
        ASSERT_EQ(seen.size(), static_cast<std::size_t>(slabs));
        ASSERT_EQ(*seen.begin(), 0);
        ASSERT_EQ(*seen.rbegin(), slabs - 1);
      }
    }
  }
}

}  // namespace
}  // namespace pbatch::testing
