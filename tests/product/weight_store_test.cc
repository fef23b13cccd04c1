// The bound on prepared weights: kept, and without a trace in results; and what sessions share.
#include "product/weight_store.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "pbatch/quantize.h"
#include "pbatch/session.h"
#include "tests/support/networks.h"
#include "tests/support/one_op.h"

namespace pbatch {
namespace {

using namespace testing;

class WeightStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(WeightStore::get().bytes(), 0) << "another test keeps a session";
    path_ = temp_path("net.onnx");
    model_ = temp_path("net.pbatch.onnx");
    write_onnx(mlp({128, 256, 256, 16}), path_);
    QuantizeOptions options;
    options.min_elements = 1;
    ASSERT_TRUE(quantize_file(path_, model_, options));
  }
  void TearDown() override { WeightStore::get().set_limit(0); }

  Session load() const {
    Result<Session> session = Session::load(model_, {.threads = 1});
    EXPECT_TRUE(session) << session.status().to_line();
    return std::move(session).value();
  }
  static std::vector<float> run(const Session& session, int bits, std::int64_t batch = 1) {
    const Tensor x =
        tensor_of({batch, 128}, random_floats(static_cast<std::size_t>(batch) * 128, 1));
    const auto y = session.run(std::vector<NamedTensor>{{"x", x}}, Precision::bits(bits));
    EXPECT_TRUE(y) << y.status().to_line();
    return y ? values_of((*y)[0]) : std::vector<float>{};
  }

  std::string path_, model_;
};

TEST_F(WeightStoreTest, CountsWhatSessionsHold) {
  {
    const Session session = load();
    EXPECT_EQ(session.prepared_bytes(), 0);
    run(session, 3);
    const std::int64_t three = session.prepared_bytes();
    EXPECT_GT(three, 0);
    EXPECT_EQ(WeightStore::get().bytes(), three);
    run(session, 5);
    EXPECT_GT(session.prepared_bytes(), three);
  }
  EXPECT_EQ(WeightStore::get().bytes(), 0);
}

TEST_F(WeightStoreTest, SessionsOfOneFileShare) {
  const Session first = load();
  const std::vector<float> want = run(first, 4);
  const std::int64_t bytes = WeightStore::get().bytes();
  const Session second = load();
  EXPECT_EQ(second.prepared_bytes(), bytes);
  EXPECT_EQ(run(second, 4), want);
  EXPECT_EQ(WeightStore::get().bytes(), bytes);
}

TEST_F(WeightStoreTest, TheBoundIsKeptAndResultsStay) {
  const Session session = load(), free = load();
  std::vector<std::vector<float>> want;
  std::int64_t most = 0;
  for (int bits = 1; bits <= 8; ++bits) {
    const std::int64_t before = WeightStore::get().bytes();
    want.push_back(run(free, bits));
    most = std::max(most, WeightStore::get().bytes() - before);
  }
  const std::int64_t limit = 2 * most;
  ASSERT_GT(WeightStore::get().bytes(), limit);
  const std::int64_t given_up = WeightStore::get().given_up();
  WeightStore::get().set_limit(limit);
  EXPECT_LE(WeightStore::get().bytes(), limit);
  EXPECT_GT(WeightStore::get().given_up(), given_up);
  for (int round = 0; round < 2; ++round) {
    for (int bits = 1; bits <= 8; ++bits) {
      EXPECT_EQ(run(session, bits), want[static_cast<std::size_t>(bits - 1)]) << bits;
      EXPECT_LE(WeightStore::get().bytes(), limit + most);
    }
  }
}

// What was used least recently goes first: a width that is run again and again stays.
TEST_F(WeightStoreTest, WhatIsUsedStays) {
  const Session session = load();
  run(session, 8);
  const std::int64_t eight = WeightStore::get().bytes();
  WeightStore::get().set_limit(eight * 3);
  run(session, 8);
  for (int round = 0; round < 3; ++round) {
    for (const int bits : {1, 2, 3, 4, 5, 6, 7}) {
      run(session, bits);
      const std::int64_t before = WeightStore::get().given_up();
      run(session, 8);
      EXPECT_EQ(WeightStore::get().given_up(), before) << "8 bits were made anew after " << bits;
    }
  }
}

// A bound that nothing fits keeps no run from running.
TEST_F(WeightStoreTest, ARunMakesWhatItNeeds) {
  const Session session = load();
  const std::vector<float> two = run(session, 2), seven = run(session, 7);
  WeightStore::get().set_limit(1);
  EXPECT_EQ(WeightStore::get().bytes(), 0);
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(run(session, 2), two);
    EXPECT_EQ(run(session, 7), seven);
  }
}

}  // namespace
}  // namespace pbatch
