// Bit allocations as precisions: what runs, and every way in which one does not fit.
#include <gtest/gtest.h>

#include <cstring>
#include <optional>

#include "format/bit_allocation.h"
#include "pbatch/quantize.h"
#include "pbatch/session.h"
#include "tests/support/networks.h"
#include "tests/support/scratch.h"

namespace pbatch {
namespace {

using testing::mlp;
using testing::random_floats;
using testing::write_onnx;

class FromAllocation : public testing::Scratch {
 protected:
  void SetUp() override {
    write_onnx(mlp({64, 128, 96}), path("net.onnx"));
    ASSERT_TRUE(quantize_file(path("net.onnx"), path("q.onnx"), {.planes = 6}));
    Result<Session> session = Session::load(path("q.onnx"), {.threads = 1});
    ASSERT_TRUE(session) << session.status().to_line();
    session_.emplace(std::move(session).value());
    allocation_.model = "q.onnx";
    allocation_.weights_checksum = session_->weights_checksum();
    allocation_.layers = {{"fc0", {3, 8}}, {"fc1", {5, 16}}};
  }

  std::string written() { return write("a.json", allocation_json(allocation_)); }
  void expect_error(ErrorCode code, const std::string& part) {
    const auto read = Precision::from_allocation(written(), *session_);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.status().code(), code) << read.status().to_line();
    EXPECT_NE(read.status().to_line().find(part), std::string::npos) << read.status().to_line();
    EXPECT_EQ(read.status().file(), path("a.json"));
    EXPECT_FALSE(read.status().remedy().empty());
  }

  std::optional<Session> session_;
  BitAllocation allocation_;
};

TEST_F(FromAllocation, RunsAsTheSamePrecisionByHand) {
  const auto precision = Precision::from_allocation(written(), *session_);
  ASSERT_TRUE(precision) << precision.status().to_line();
  Precision by_hand = Precision::bits(1, 16);
  by_hand.layers = {{"fc0", {3, 8}}, {"fc1", {5, 16}}};
  const std::vector<NamedTensor> inputs{{"x", testing::tensor_of({2, 64}, random_floats(128, 5))}};
  const auto a = session_->run(inputs, *precision), b = session_->run(inputs, by_hand);
  ASSERT_TRUE(a && b);
  EXPECT_EQ(std::memcmp((*a)[0].raw(), (*b)[0].raw(), (*a)[0].bytes()), 0);
  EXPECT_EQ(precision->all, (LayerPrecision{5, 16}));
}

TEST_F(FromAllocation, FitsTheSameWeightsMadeInMemory) {
  const auto other = Session::quantize_in_memory(path("net.onnx"), {.planes = 6}, {.threads = 1});
  ASSERT_TRUE(other);
  EXPECT_TRUE(Precision::from_allocation(written(), *other));
}

TEST_F(FromAllocation, OtherWeightsAreRefused) {
  const auto fewer = Session::quantize_in_memory(path("net.onnx"), {.planes = 5}, {.threads = 1});
  ASSERT_TRUE(fewer);
  const auto read = Precision::from_allocation(written(), *fewer);
  EXPECT_EQ(read.status().code(), ErrorCode::invalid_argument);
  EXPECT_NE(read.status().message().find("'q.onnx'"), std::string::npos);
  const auto of_floats = Session::load(path("net.onnx"), {.threads = 1});
  EXPECT_EQ(Precision::from_allocation(written(), *of_floats).status().code(),
            ErrorCode::invalid_argument);
}

TEST_F(FromAllocation, EveryLayerStandsInIt) {
  allocation_.layers[1].first = "fc2";
  expect_error(ErrorCode::malformed, "node 'fc2': the model has no such layer");
  allocation_.layers.pop_back();
  expect_error(ErrorCode::malformed, "node 'fc1': it leaves out a layer");
}

TEST_F(FromAllocation, PlanesMustBeThere) {
  allocation_.layers[0].second.weight_bits = 7;
  expect_error(ErrorCode::precision_unavailable, "node 'fc0': 7 bits, but 6");
}

}  // namespace
}  // namespace pbatch
