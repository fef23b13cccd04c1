#include "pbatch/cascade.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "cascade/batch.h"
#include "tests/tools/allocate/small_session.h"

namespace pbatch {
namespace {

using testing::random_floats;
using testing::tensor_of;

constexpr double kNever = std::numeric_limits<double>::infinity();
constexpr std::int64_t kFeatures = 64, kClasses = 10;

Precision exact_bits(int bits) {
  Precision precision = Precision::bits(bits);
  precision.exact = true;
  return precision;
}

// Two layers of bits and one of floats, as classifiers have.
class CascadeTest : public testing::SmallSession {
 protected:
  CascadeTest() : session_(quantized({kFeatures, 128, 96, kClasses}, {.floor_bits = 1})) {}

  Cascade cascade(std::vector<std::pair<int, double>> bits_and_thresholds,
                  CascadeOptions options = {}) {
    std::vector<CascadeStage> stages;
    for (const auto& [bits, threshold] : bits_and_thresholds) {
      stages.push_back({Precision::bits(bits), threshold});
    }
    auto made = Cascade::create(session_, std::move(stages), std::move(options));
    EXPECT_TRUE(made) << made.status().to_line();
    return *std::move(made);
  }

  std::vector<float> alone(const std::vector<NamedTensor>& all, std::int64_t item, int bits) const {
    const auto x = gather_items(all[0].tensor, 0, std::span(&item, 1));
    const auto y = session_.run(std::vector<NamedTensor>{{"x", *x}}, exact_bits(bits));
    EXPECT_TRUE(y) << y.status().to_line();
    return {(*y)[0].span<float>().begin(), (*y)[0].span<float>().end()};
  }

  static int best(const std::vector<float>& row) {
    return static_cast<int>(std::max_element(row.begin(), row.end()) - row.begin());
  }
  static double margin(std::vector<float> row) {
    std::sort(row.rbegin(), row.rend());
    return double{row[0]} - double{row[1]};
  }

  // Every item as the definition of a cascade says, one by one.
  void expect_naive(const Cascade& cascade, const std::vector<int>& bits,
                    const std::vector<NamedTensor>& x) {
    const auto made = cascade.run(x);
    ASSERT_TRUE(made) << made.status().to_line();
    const std::int64_t items = x[0].tensor.dim(0);
    ASSERT_EQ(made->outputs[0].shape(), (Shape{items, kClasses}));
    std::vector<StageReport> reports(bits.size());
    for (std::int64_t i = 0; i < items; ++i) {
      std::size_t s = 0;
      std::vector<float> row;
      for (; s < bits.size(); ++s) {
        ++reports[s].items;
        row = alone(x, i, bits[s]);
        if (s + 1 == bits.size() || margin(row) > cascade.stages()[s].threshold) break;
      }
      ++reports[s].answered;
      EXPECT_EQ(made->stage_of_item[static_cast<std::size_t>(i)], static_cast<int>(s));
      const float* const got = made->outputs[0].data<float>() + i * kClasses;
      EXPECT_EQ(std::memcmp(got, row.data(), row.size() * sizeof(float)), 0) << "item " << i;
    }
    for (std::size_t s = 0; s < bits.size(); ++s) {
      EXPECT_EQ(made->stages[s].items, reports[s].items);
      EXPECT_EQ(made->stages[s].answered, reports[s].answered);
      EXPECT_EQ(made->stages[s].seconds > 0, reports[s].items > 0);
    }
  }

  Session session_;
};

TEST_F(CascadeTest, AnswersAreThoseOfSingleRuns) {
  const auto x = inputs(67, kFeatures, 5);
  for (const double threshold : {0.1, 0.6, 1.5}) {
    expect_naive(cascade({{2, threshold}, {8, 0}}), {2, 8}, x);
    expect_naive(cascade({{1, threshold}, {3, threshold / 2}, {8, 0}}), {1, 3, 8}, x);
  }
  expect_naive(cascade({{2, -kNever}, {8, 0}}), {2, 8}, x);
  expect_naive(cascade({{2, kNever}, {8, 0}}), {2, 8}, x);
}

TEST_F(CascadeTest, ABoundOfTheBatchChangesNothing) {
  CascadeOptions options;
  options.batch = 7;
  expect_naive(cascade({{2, 0.5}, {8, 0}}, options), {2, 8}, inputs(40, kFeatures, 6));
}

TEST_F(CascadeTest, OnlyUnsureItemsAreRunAgain) {
  std::vector<std::int64_t> seen;
  CascadeOptions options;
  options.margin.function = [&](std::span<const Tensor> outputs,
                                std::int64_t items) -> Result<std::vector<double>> {
    seen.push_back(outputs[0].dim(0));
    std::vector<double> margins;
    for (std::int64_t i = 0; i < items; ++i) margins.push_back(double(i % 3));
    return margins;
  };
  const auto run = cascade({{1, 0.5}, {2, 0.5}, {4, 0}}, options).run(inputs(12, kFeatures, 7));
  ASSERT_TRUE(run) << run.status().to_line();
  EXPECT_EQ(seen, (std::vector<std::int64_t>{12, 4}));  // places 0, 3, 6, 9; then 0 and 3 of them
  EXPECT_EQ(run->stages[2].items, 2);
  EXPECT_EQ(run->stage_of_item, (std::vector<int>{2, 0, 0, 1, 0, 0, 1, 0, 0, 2, 0, 0}));
}

TEST_F(CascadeTest, AFunctionsErrorComesBack) {
  CascadeOptions options;
  options.margin.function = [](std::span<const Tensor>,
                               std::int64_t) -> Result<std::vector<double>> {
    return Status(ErrorCode::internal, "no margin today");
  };
  const auto run = cascade({{1, 0}, {2, 0}}, options).run(inputs(2, kFeatures, 1));
  ASSERT_FALSE(run);
  EXPECT_EQ(run.status().message(), "no margin today");
}

TEST_F(CascadeTest, CalibrationCountsWhatItSays) {
  constexpr std::int64_t kItems = 500;
  const auto x = inputs(kItems, kFeatures, 8);
  Cascade made = cascade({{2, 0}, {4, 0}, {8, 0}});
  const auto calibration = made.calibrate(x, {0.95, 0.9});
  ASSERT_TRUE(calibration) << calibration.status().to_line();
  EXPECT_EQ(calibration->items, kItems);
  ASSERT_EQ(calibration->stages.size(), 2U);
  for (std::size_t s = 0; s < 2; ++s) {
    const StageCalibration& stage = calibration->stages[s];
    EXPECT_EQ(stage.threshold, made.stages()[s].threshold);
    std::int64_t above = 0, disagree = 0;
    for (std::int64_t i = 0; i < kItems; ++i) {
      const std::vector<float> row = alone(x, i, s == 0 ? 2 : 4);
      if (!(margin(row) > stage.threshold)) continue;
      ++above;
      if (best(row) != best(alone(x, i, 8))) ++disagree;
    }
    EXPECT_EQ(stage.above, above);
    EXPECT_EQ(stage.disagree, disagree);
    EXPECT_LE(stage.disagree_bound, 0.05 / 2);
    EXPECT_GT(stage.above, 0);
  }
  const auto run = made.run(x);
  ASSERT_TRUE(run);
  std::int64_t agree = 0;
  for (std::int64_t i = 0; i < kItems; ++i) {
    const float* const row = run->outputs[0].data<float>() + i * kClasses;
    if (best({row, row + kClasses}) == best(alone(x, i, 8))) ++agree;
  }
  EXPECT_DOUBLE_EQ(calibration->agreement, double(agree) / kItems);
  for (std::size_t s = 0; s < 2; ++s) {
    EXPECT_EQ(calibration->stages[s].answered, run->stages[s].answered);
  }
  EXPECT_GE(calibration->agreement_bound, 0.95);
  EXPECT_LE(calibration->agreement_bound, calibration->agreement);
}

TEST_F(CascadeTest, TooFewItemsAreRefusedWithTheNumberThatItTakes) {
  Cascade made = cascade({{2, 0.25}, {8, 0}});
  EXPECT_EQ(least_calibration_items({0.999, 0.95}, 2), 2995);  // as scipy has the bound
  const auto calibration = made.calibrate(inputs(2994, kFeatures, 2));
  ASSERT_FALSE(calibration);
  EXPECT_EQ(calibration.status().code(), ErrorCode::invalid_argument);
  EXPECT_NE(calibration.status().to_line().find("2995"), std::string::npos);
  EXPECT_EQ(made.stages()[0].threshold, 0.25);
  EXPECT_TRUE(made.calibrate(inputs(2995, kFeatures, 2)));
  EXPECT_FALSE(made.calibrate(inputs(0, kFeatures, 2)));
  EXPECT_FALSE(made.calibrate(inputs(100, kFeatures, 2), {1.0, 0.95}));
  EXPECT_FALSE(made.calibrate(inputs(100, kFeatures, 2), {0.9, 0.0}));
}

TEST_F(CascadeTest, RefusesWhatIsNoCascade) {
  const CascadeStage stage{Precision::bits(2), 0};
  EXPECT_FALSE(Cascade::create(session_, {stage}));
  const CascadeStage wide{Precision::bits(8), 0};
  EXPECT_EQ(Cascade::create(session_, {wide, {Precision::bits(2), 0}}).status().code(),
            ErrorCode::invalid_argument);
  CascadeOptions options;
  options.margin.output = "z";
  EXPECT_EQ(Cascade::create(session_, {stage, stage}, options).status().code(),
            ErrorCode::not_found);
  options = {};
  options.batch_axes["z"] = 1;
  EXPECT_EQ(Cascade::create(session_, {stage, stage}, options).status().code(),
            ErrorCode::not_found);
  EXPECT_EQ(cascade({{2, kNever}, {11, 0}}).run(inputs(3, kFeatures, 1)).status().code(),
            ErrorCode::precision_unavailable);
}

TEST_F(CascadeTest, AnEmptyBatchHasNoAnswers) {
  const auto run = cascade({{2, 0}, {8, 0}}).run(inputs(0, kFeatures, 1));
  ASSERT_TRUE(run) << run.status().to_line();
  EXPECT_EQ(run->outputs[0].shape(), (Shape{0, kClasses}));
}

// The same network with a batch of 4 in its file.
TEST_F(CascadeTest, NetworksThatFixTheirBatchAreRunAtThat) {
  Graph graph = testing::mlp({kFeatures, 128, 96, kClasses});
  (*graph.values[graph.inputs[0]].dims)[0] = {4, ""};
  (*graph.values[graph.outputs[0]].dims)[0] = {4, ""};
  const Session fixed = quantized(graph, {.floor_bits = 1});
  const std::vector<CascadeStage> stages{{Precision::bits(2), 0.6}, {Precision::bits(8), 0}};
  const auto x = inputs(10, kFeatures, 9);
  const auto made = Cascade::create(fixed, stages);
  ASSERT_TRUE(made) << made.status().to_line();
  const auto run = made->run(x), same = cascade({{2, 0.6}, {8, 0}}).run(x);
  ASSERT_TRUE(run) << run.status().to_line();
  EXPECT_EQ(run->stage_of_item, same->stage_of_item);
  ASSERT_EQ(run->outputs[0].shape(), same->outputs[0].shape());
  EXPECT_EQ(std::memcmp(run->outputs[0].raw(), same->outputs[0].raw(), run->outputs[0].bytes()), 0);
}

}  // namespace
}  // namespace pbatch
