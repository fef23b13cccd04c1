#include "cuda/product_plan.h"

#include <gtest/gtest.h>

#include "cuda/product_block.h"

namespace pbatch::testing {
namespace {

using cuda::DeviceLimits;
using cuda::Method;
using cuda::plan_product;
using cuda::ProductPlan;
using cuda::ProductShape;

constexpr DeviceLimits kH100{90, 132, 227 * 1024, 228 * 1024};
constexpr DeviceLimits kTuring{75, 40, 64 * 1024, 64 * 1024};
constexpr DeviceLimits kAmpere{86, 28, 99 * 1024, 100 * 1024};

TEST(CudaPlan, OneBlockForEveryRowBlockWhereRowsAreMany) {
  for (const std::int64_t n : {4096, 8192, 16384}) {
    const ProductPlan plan = plan_product({n, n, 2, 4, 8, 1}, Method::bits, kH100);
    EXPECT_EQ(plan.warps, 8);
    EXPECT_EQ(plan.splits, 1);
    EXPECT_EQ(plan.term_bytes, 0);
  }
}

TEST(CudaPlan, SplitsColumnsWhereRowsAreFew) {
  const ProductPlan plan = plan_product({256, 16384, 2, 4, 8, 1}, Method::bits, kH100);
  EXPECT_EQ(plan.splits, 2);
  EXPECT_EQ(plan.arrivals, 16);
  EXPECT_GT(plan.term_bytes, 0);
  EXPECT_EQ(plan_product({256, 1024, 2, 4, 8, 1}, Method::bits, kH100).splits, 1);
}

TEST(CudaPlan, NoMoreWarpsThanSlabs) {
  EXPECT_EQ(plan_product({4096, 100, 2, 4, 8, 1}, Method::bits, kH100).warps, 1);
  EXPECT_EQ(plan_product({4096, 1024, 2, 4, 8, 1}, Method::bits, kH100).warps, 4);
}

TEST(CudaPlan, FitsEveryDevice) {
  for (const DeviceLimits& device : {kH100, kTuring, kAmpere}) {
    for (int bits = 1; bits <= 16; ++bits) {
      for (const std::int64_t cols : {1, 4096, 65536, 1 << 20}) {
        for (const int batch : {1, 8}) {
          const ProductShape shape{4096, cols, 1, bits, 32, batch};
          const ProductPlan plan = plan_product(shape, Method::bits, device);
          EXPECT_GE(plan.warps, 1);
          EXPECT_GE(plan.splits, 1);
          EXPECT_LE(plan.shared_bytes, device.shared_per_block);
          EXPECT_GE(plan.shared_bytes, plan.warps * cuda::ring_bytes(bits < 8 ? bits : 8));
          EXPECT_EQ(plan.splits > 1, plan.arrivals > 0);
          if (plan.splits > 1) {
            EXPECT_GT(plan.term_bytes, 0);
          }
        }
      }
    }
  }
}

TEST(CudaPlan, TermsInSharedMemoryLeaveRoomForASecondBlock) {
  // On an H100 the first of these has 113 KiB, of which no two and what the driver adds fit.
  for (const std::int64_t cols : {10240, 9984, 4096}) {
    const ProductPlan plan = plan_product({16384, cols, 1, 1, 8, 4}, Method::bits, kH100);
    const std::int64_t taken = (plan.shared_bytes + 16 + 1024 + 127) / 128 * 128;
    EXPECT_LE(2 * taken, kH100.shared_per_processor) << cols;
  }
}

TEST(CudaPlan, BitsForOneVectorWhereThereIsAUnitForThem) {
  const ProductShape one{4096, 4096, 2, 4, 8, 1};
  EXPECT_EQ(cuda::choose_method(one, kTuring), Method::bits);
  EXPECT_EQ(cuda::choose_method(one, kH100), Method::bits);
  EXPECT_EQ(cuda::choose_method(one, {100, 148, 227 * 1024, 228 * 1024}), Method::bytes);
  EXPECT_EQ(cuda::choose_method(one, {120, 170, 99 * 1024, 100 * 1024}), Method::bytes);
}

TEST(CudaPlan, MoreVectorsAreMultipliedOnBytesAndManyByGemm) {
  for (const int activation_bits : {8, 16, 32}) {
    for (int bits = 1; bits <= 16; ++bits) {
      EXPECT_EQ(cuda::choose_method({4096, 4096, 2, bits, activation_bits, 8}, kH100),
                Method::bytes);
      EXPECT_EQ(cuda::choose_method({4096, 4096, 2, bits, activation_bits, 9}, kH100),
                Method::gemm);
    }
  }
}

}  // namespace
}  // namespace pbatch::testing
