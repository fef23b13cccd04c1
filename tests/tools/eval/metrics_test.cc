#include "tools/eval/metrics.h"

#include <gtest/gtest.h>

#include <cmath>

namespace pbatch {
namespace {

Tensor floats(Shape shape, std::vector<float> values) {
  Result<Tensor> t = Tensor::from_floats(std::move(shape), values);
  EXPECT_TRUE(t);
  return *t;
}

Tensor ints(Shape shape, std::vector<std::int64_t> values) {
  Result<Tensor> t = Tensor::create(DType::i64, std::move(shape));
  EXPECT_TRUE(t);
  std::copy(values.begin(), values.end(), t->mutable_data<std::int64_t>());
  return *t;
}

TEST(OutputErrorTest, ClosedForms) {
  // y = (3, 0 | 4), f = (0, 0 | 5): |y - f| = sqrt(10), |f| = 5, cos = 20 / 25.
  const std::vector<Tensor> y{floats({1, 2}, {3, 0}), floats({1}, {4})};
  const std::vector<Tensor> f{floats({1, 2}, {0, 0}), floats({1}, {5})};
  const auto error = output_error(y, f);
  ASSERT_TRUE(error);
  EXPECT_NEAR(error->rel_error, std::sqrt(10.0) / 5, 1e-12);
  EXPECT_NEAR(error->cosine, 0.8, 1e-12);
  EXPECT_EQ(error->max_abs_error, 3);
  EXPECT_NEAR(error->mean_abs_error, 4.0 / 3, 1e-12);
  const auto same = output_error(f, f);
  EXPECT_EQ(same->rel_error, 0);
  EXPECT_NEAR(same->cosine, 1, 1e-12);
}

TEST(OutputErrorTest, EachOutputStandsAlone) {
  // A large output that is right, one that is wrong by 0.9, and classes of which one of four
  // differs.
  const std::vector<Tensor> f{floats({2}, {3000, 4000}), floats({1}, {1}), ints({4}, {1, 2, 3, 4})};
  const std::vector<Tensor> y{floats({2}, {3000, 4000}), floats({1}, {0.1F}),
                              ints({4}, {1, 2, 3, 5})};
  const auto errors = output_errors(y, f);
  ASSERT_TRUE(errors) << errors.status().to_line();
  ASSERT_EQ(errors->size(), 3u);
  EXPECT_EQ(errors->at(0).rel_error, 0);
  EXPECT_NEAR(errors->at(1).rel_error, 0.9, 1e-6);
  EXPECT_TRUE(errors->at(2).exact);
  EXPECT_EQ(errors->at(2).differing, 1);
  EXPECT_EQ(errors->at(2).elements, 4);
  EXPECT_EQ(errors->at(2).rel_error, 0.25);
  EXPECT_EQ(worst_of(*errors), 1u);
  const std::int64_t big = std::int64_t{1} << 60;  // doubles cannot tell these apart
  EXPECT_EQ(output_errors(std::vector{ints({1}, {big + 1})}, std::vector{ints({1}, {big})})
                ->at(0)
                .differing,
            1);
  EXPECT_EQ(worst_of(std::vector<OutputError>{{.rel_error = 2}, {.rel_error = NAN}}), 1u);
}

TEST(OutputErrorTest, NothingHidesANaN) {
  const std::vector<Tensor> bad{floats({2}, {NAN, 1})}, good{floats({2}, {1, 1})};
  EXPECT_EQ(output_error(good, bad).status().code(), ErrorCode::not_finite);
  const auto error = output_error(bad, good);
  ASSERT_TRUE(error);
  EXPECT_TRUE(std::isnan(error->rel_error));
  EXPECT_TRUE(std::isnan(error->max_abs_error));
  EXPECT_TRUE(std::isnan(error->mean_abs_error));
  EXPECT_FALSE(output_error(good, std::vector<Tensor>{floats({1, 2}, {1, 1})}));
}

TEST(ScoreTest, CountsArgmax) {
  auto score = Score::create(ints({4}, {2, 0, 1, 1}), DType::f32, 3, 3);
  ASSERT_TRUE(score) << score.status().to_line();
  EXPECT_EQ(score->metric(), Metric::accuracy);
  ASSERT_TRUE(score->add(floats({2, 3}, {0, 1, 5, 0, 1, 0}), 0, 2));           // right, wrong
  ASSERT_TRUE(score->add(floats({2, 3}, {-3, -1, -2, NAN, NAN, NAN}), 2, 2));  // right, wrong
  EXPECT_EQ(score->value(), 0.5);
}

TEST(ScoreTest, TakesManyLabelsAnItemAndWholeFloats) {
  auto score = Score::create(floats({1, 2}, {1, 0}), DType::f32, 4, 2);
  ASSERT_TRUE(score) << score.status().to_line();
  ASSERT_TRUE(score->add(floats({1, 2, 2}, {0, 1, 0, 1}), 0, 1));
  EXPECT_EQ(score->value(), 0.5);
}

TEST(ScoreTest, ComparesClassesOfANetworkThatEndsInArgMax) {
  auto score = Score::create(ints({2}, {7, 8}), DType::i64, 1, 1);
  ASSERT_TRUE(score);
  ASSERT_TRUE(score->add(ints({2}, {7, 9}), 0, 2));
  EXPECT_EQ(score->value(), 0.5);
}

TEST(ScoreTest, MeasuresFloatTargets) {
  auto score = Score::create(floats({2, 2}, {0.5F, 1, 2, 3}), DType::f32, 2, 2);
  ASSERT_TRUE(score);
  EXPECT_EQ(score->metric(), Metric::mse);
  ASSERT_TRUE(score->add(floats({2, 2}, {0.5F, 2, 2, 1}), 0, 2));
  EXPECT_NEAR(score->value(), (1.0 + 4.0) / 4, 1e-12);
}

TEST(ScoreTest, RefusesWhatDoesNotFit) {
  EXPECT_FALSE(Score::create(ints({2}, {0, 3}), DType::f32, 3, 3));  // no such class
  EXPECT_FALSE(Score::create(ints({2}, {0, -1}), DType::f32, 3, 3));
  EXPECT_FALSE(Score::create(ints({2}, {0, 1}), DType::f32, 1, 1));  // argmax of one value
  EXPECT_FALSE(Score::create(ints({2, 5}, std::vector<std::int64_t>(10)), DType::f32, 3, 3));
  EXPECT_FALSE(Score::create(floats({0}, {}), DType::f32, 3, 3));
  auto score = Score::create(ints({2}, {0, 1}), DType::f32, 3, 3);
  ASSERT_TRUE(score);
  EXPECT_FALSE(score->add(floats({1, 3}, {1, 2, 3}), 0, 2));  // too few outputs
}

}  // namespace
}  // namespace pbatch
