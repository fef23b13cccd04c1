// Allocations of small networks: limits are kept, nothing uniform is better, and on networks of few
// layers nothing at all is.
#include "tools/allocate/allocate.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/tools/allocate/small_session.h"
#include "tools/allocate/network_error.h"
#include "tools/allocate/sensitivity.h"

namespace pbatch {
namespace {

using testing::SmallSession;

class Allocate : public SmallSession {
 protected:
  // 3 layers of unlike sizes.
  void open() {
    session_.emplace(quantized({128, 256, 96, 64}, {.planes = 8, .floor_bits = 1}));
    float_.emplace(float_side());
    reference_ = {&*float_, Precision::f32(), {}, {}};
    sets_ = {inputs(16, 128, 5), inputs(16, 128, 6)};
  }
  AllocationRequest request(Limit limit, double most) {
    AllocationRequest made;
    made.limit = limit;
    made.most = most;
    made.least = Least::bytes;  // exact, whatever the machine does meanwhile
    made.widths = {{1, 2, 3, 4, 5, 6, 7, 8}, {16}, {}, false};
    made.timing = {.seconds = 0, .min_rounds = 1};
    return made;
  }
  Result<BitAllocationResult> allocate(const AllocationRequest& wanted) {
    Progress silent;
    return allocate_bits(*session_, reference_, sets_, inputs(1, 128, 7), wanted, silent);
  }
  double error_of(const Precision& precision) {
    const auto error = NetworkError::create(reference_, *session_, sets_);
    EXPECT_TRUE(error);
    return *error->of(precision);
  }

  std::optional<Session> session_, float_;
  Contender reference_;
  InputSets sets_;
};

// ||y - f|| / ||f|| over both runs, from its definition.
TEST_F(Allocate, ErrorsAreRelativeNorms) {
  open();
  const Precision precision = Precision::bits(3);
  double difference = 0, norm = 0;
  for (const auto& inputs : sets_) {
    const auto y = session_->run(inputs, precision), f = float_->run(inputs, Precision::f32());
    ASSERT_TRUE(y && f);
    for (std::int64_t i = 0; i < (*y)[0].size(); ++i) {
      const double a = (*y)[0].data<float>()[i], b = (*f)[0].data<float>()[i];
      difference += (a - b) * (a - b);
      norm += b * b;
    }
  }
  EXPECT_NEAR(error_of(precision), std::sqrt(difference / norm), 1e-9);
}

TEST_F(Allocate, TheSumOverLayersIsNearTheNetworksError) {
  open();
  auto items = layer_items(*session_, request(Limit::error, 1).widths);
  Progress silent;
  ASSERT_TRUE(measure_sensitivity(*session_, sets_, 100, items, silent));
  for (const std::vector<std::size_t>& chosen :
       {std::vector<std::size_t>{3, 4, 5}, {5, 3, 2}, {4, 4, 4}, {6, 5, 3}}) {
    double sum = 0;
    for (std::size_t i = 0; i < items.size(); ++i) sum += items[i].choices[chosen[i]].squared_error;
    const double measured = error_of(precision_of(items, chosen, false));
    EXPECT_NEAR(std::sqrt(sum) / measured, 1, 0.2) << measured;
  }
}

TEST_F(Allocate, WidthsBetweenAreTakenToFallEvenly) {
  open();
  auto all = layer_items(*session_, request(Limit::error, 1).widths), few = all;
  Progress silent;
  ASSERT_TRUE(measure_sensitivity(*session_, sets_, 100, all, silent));
  ASSERT_TRUE(measure_sensitivity(*session_, sets_, 0, few, silent));
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto& measured = all[i].choices;
    const auto& between = few[i].choices;
    EXPECT_EQ(between.front().squared_error, measured.front().squared_error);
    EXPECT_EQ(between.back().squared_error, measured.back().squared_error);
    // 1 and 8 bits are measured; in between the logarithm is a line.
    const double line =
        std::log(between[0].squared_error) * 4 / 7 + std::log(between[7].squared_error) * 3 / 7;
    EXPECT_NEAR(std::log(between[3].squared_error), line, 1e-9);
  }
}

TEST_F(Allocate, ALimitOnTheErrorIsKept) {
  open();
  for (const double most : {0.3, 0.05, 0.012}) {
    const auto made = allocate(request(Limit::error, most));
    ASSERT_TRUE(made) << made.status().to_line();
    EXPECT_LE(made->chosen.error, most);
    EXPECT_EQ(made->chosen.error, error_of(made->chosen.precision));
    EXPECT_EQ(made->chosen.weight_bytes, *session_->weight_bytes(made->chosen.precision));
    for (const AllocationRow& row : made->uniform) {
      EXPECT_FALSE(row.error <= most && row.weight_bytes < made->chosen.weight_bytes);
    }
    if (made->chosen.predicted_error) {
      EXPECT_NEAR(*made->chosen.predicted_error / made->chosen.error, 1, 0.2);
    }
  }
}

// All combinations of the widths: what is found is the best of them but for what the sum cannot
// know, a few percent of the bytes.
TEST_F(Allocate, FewCombinationsAreBetter) {
  open();
  const double most = 0.06;
  const auto made = allocate(request(Limit::error, most));
  ASSERT_TRUE(made) << made.status().to_line();
  std::int64_t best = made->chosen.weight_bytes;
  for (int a = 2; a <= 8; ++a) {
    for (int b = 2; b <= 8; ++b) {
      for (int c = 2; c <= 8; ++c) {
        Precision precision = Precision::bits(8);
        precision.layers = {{"fc0", {a, 16}}, {"fc1", {b, 16}}, {"fc2", {c, 16}}};
        const std::int64_t bytes = *session_->weight_bytes(precision);
        if (bytes < best && error_of(precision) <= most) best = bytes;
      }
    }
  }
  EXPECT_LE(double(made->chosen.weight_bytes), 1.05 * double(best));
}

TEST_F(Allocate, ALimitOnBytesIsKept) {
  open();
  const std::int64_t four = *session_->weight_bytes(Precision::bits(4));
  const auto made = allocate(request(Limit::bytes, double(four)));
  ASSERT_TRUE(made) << made.status().to_line();
  EXPECT_LE(made->chosen.weight_bytes, four);
  EXPECT_LE(made->chosen.error, error_of(Precision::bits(4)));
}

TEST_F(Allocate, ALimitOnTimeIsKeptAsPredicted) {
  open();
  AllocationRequest wanted = request(Limit::latency, 1e6);
  const auto made = allocate(wanted);  // a second: all bits fit
  ASSERT_TRUE(made) << made.status().to_line();
  EXPECT_LE(made->chosen.predicted_us, 1e6);
  EXPECT_LE(made->chosen.error, error_of(Precision::bits(8)));
  EXPECT_GT(*made->chosen.us, 0);
}

TEST_F(Allocate, WhatNothingKeepsIsAnError) {
  open();
  const auto expect_error = [&](Limit limit, double most, const std::string& part) {
    const auto made = allocate(request(limit, most));
    ASSERT_FALSE(made);
    EXPECT_EQ(made.status().code(), ErrorCode::invalid_argument);
    EXPECT_NE(made.status().message().find(part), std::string::npos) << made.status().message();
    EXPECT_FALSE(made.status().remedy().empty());
  };
  expect_error(Limit::error, 1e-6, "% away");
  expect_error(Limit::bytes, 1000, "the narrowest need");
  expect_error(Limit::latency, 1e-3, "the fastest take");
}

TEST_F(Allocate, FixedLayersStayFixed) {
  open();
  AllocationRequest wanted = request(Limit::error, 0.05);
  wanted.widths.fixed["fc1"] = {8, 16};
  const auto made = allocate(wanted);
  ASSERT_TRUE(made) << made.status().to_line();
  EXPECT_EQ(made->chosen.precision.of("fc1"), (LayerPrecision{8, 16}));
}

}  // namespace
}  // namespace pbatch
