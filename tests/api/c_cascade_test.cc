// Cascades from C.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "pbatch/pbatch.h"
#include "pbatch/quantize.h"
#include "pbatch/session.h"
#include "tests/support/networks.h"
#include "tests/support/scratch.h"

namespace pbatch {
namespace {

class CCascade : public testing::Scratch {
 protected:
  void SetUp() override {
    testing::write_onnx(testing::mlp({64, 96, 10}), path("net.onnx"));
    ASSERT_TRUE(quantize_file(path("net.onnx"), path("q.onnx"), {}));
    ASSERT_EQ(pbatch_session_load(path("q.onnx").c_str(), nullptr, &session_, &error_), PBATCH_OK);
  }
  void TearDown() override {
    pbatch_cascade_free(cascade_);
    pbatch_session_free(session_);
  }
  void create(double threshold) {
    const pbatch_cascade_stage stages[2] = {{&narrow_, threshold}, {&wide_, 0}};
    ASSERT_EQ(pbatch_cascade_create(session_, stages, 2, nullptr, nullptr, 0, &cascade_, &error_),
              PBATCH_OK)
        << error_.message;
  }
  pbatch_tensor input(std::int64_t items) {
    x_ = testing::random_floats(static_cast<std::size_t>(items * 64), 7);
    shape_[0] = items;
    return {"x", PBATCH_F32, 2, shape_, x_.data(), x_.size() * sizeof(float)};
  }

  const pbatch_precision narrow_ = {{2, 16}, nullptr, 0}, wide_ = {{8, 16}, nullptr, 0};
  std::vector<float> x_;
  std::int64_t shape_[2] = {0, 64};
  pbatch_session* session_ = nullptr;
  pbatch_cascade* cascade_ = nullptr;
  pbatch_error error_{};
};

TEST_F(CCascade, RunsOneItemAsItsStageDoes) {
  create(0.5);
  const pbatch_tensor x = input(1);
  pbatch_outputs* outputs = nullptr;
  pbatch_stage_report reports[2];
  ASSERT_EQ(pbatch_cascade_run(cascade_, &x, 1, &outputs, reports, &error_), PBATCH_OK)
      << error_.message;
  EXPECT_EQ(reports[0].items, 1);
  EXPECT_EQ(reports[0].answered + reports[1].answered, 1);
  Result<Session> same = Session::load(path("q.onnx"));
  ASSERT_TRUE(same);
  Precision precision = Precision::bits(reports[0].answered == 1 ? 2 : 8);
  precision.exact = true;
  const auto expected =
      same->run(std::vector<NamedTensor>{{"x", testing::tensor_of({1, 64}, x_)}}, precision);
  ASSERT_TRUE(expected);
  pbatch_tensor y;
  ASSERT_EQ(pbatch_outputs_get(outputs, 0, &y, &error_), PBATCH_OK);
  ASSERT_EQ(y.bytes, (*expected)[0].bytes());
  EXPECT_EQ(std::memcmp(y.data, (*expected)[0].raw(), y.bytes), 0);
  pbatch_outputs_free(outputs);
}

TEST_F(CCascade, CalibratesItsThreshold) {
  create(0.5);
  EXPECT_EQ(pbatch_cascade_threshold(cascade_, 0), 0.5);
  EXPECT_TRUE(std::isnan(pbatch_cascade_threshold(cascade_, 2)));
  pbatch_tensor x = input(400);
  EXPECT_EQ(pbatch_cascade_calibrate(cascade_, &x, 1, 0.999, 0.95, nullptr, &error_),
            PBATCH_INVALID_ARGUMENT);
  EXPECT_NE(std::string(error_.message).find("2995"), std::string::npos) << error_.message;
  pbatch_calibration calibration;
  ASSERT_EQ(pbatch_cascade_calibrate(cascade_, &x, 1, 0.95, 0.95, &calibration, &error_), PBATCH_OK)
      << error_.message;
  EXPECT_EQ(calibration.items, 400);
  EXPECT_GE(calibration.agreement, calibration.agreement_bound);
  EXPECT_GE(calibration.agreement_bound, 0.95);
  EXPECT_NE(pbatch_cascade_threshold(cascade_, 0), 0.5);
}

TEST_F(CCascade, RefusesNullsAndNonsense) {
  const pbatch_cascade_stage stages[2] = {{&narrow_, 0}, {nullptr, 0}};
  EXPECT_EQ(pbatch_cascade_create(session_, stages, 2, nullptr, nullptr, 0, &cascade_, &error_),
            PBATCH_INVALID_ARGUMENT);
  EXPECT_EQ(cascade_, nullptr);
  EXPECT_EQ(pbatch_cascade_create(nullptr, stages, 1, nullptr, nullptr, 0, &cascade_, &error_),
            PBATCH_INVALID_ARGUMENT);
  EXPECT_EQ(pbatch_cascade_run(nullptr, nullptr, 0, nullptr, nullptr, &error_),
            PBATCH_INVALID_ARGUMENT);
  pbatch_margin margin = {PBATCH_MARGIN_TOP_TWO, 0, nullptr};
  const int no_kind = 9;
  std::memcpy(&margin.kind, &no_kind, sizeof no_kind);
  EXPECT_EQ(pbatch_cascade_create(session_, stages, 1, &margin, nullptr, 0, &cascade_, &error_),
            PBATCH_INVALID_ARGUMENT);
  create(0);
  pbatch_cascade_free(nullptr);
}

}  // namespace
}  // namespace pbatch
