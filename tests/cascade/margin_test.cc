#include "cascade/margin.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/support/networks.h"

namespace pbatch {
namespace {

using testing::tensor_of;

std::vector<double> margins(const Margin& margin, const Tensor& output, int axis = 0) {
  const auto items = output.dim(static_cast<std::size_t>(axis));
  auto found = margins_of(margin, {0, axis}, std::span(&output, 1), items);
  EXPECT_TRUE(found) << found.status().to_line();
  return found ? *found : std::vector<double>{};
}

TEST(Margin, TopTwoIsTheLeastOfAllRows) {
  const Tensor y = tensor_of({2, 2, 3}, {1, 4, 2, /**/ 0, 0, 7, /**/ 5, 5, 1, /**/ 9, 1, 0});
  EXPECT_EQ(margins({}, y), (std::vector<double>{2, 0}));
}

TEST(Margin, ItemsMayLieAlongAnyAxis) {  // [time, item, class]
  const Tensor y = tensor_of({2, 2, 2}, {1, 4, /**/ 0, 7, /**/ 5, 4, /**/ 9, 1});
  EXPECT_EQ(margins({}, y, 1), (std::vector<double>{1, 7}));
}

TEST(Margin, BandIsTheLeastDistanceFromItsCenter) {
  Margin band;
  band.kind = MarginKind::band;
  band.center = 0.5;
  EXPECT_EQ(margins(band, tensor_of({3, 2}, {0.75F, 0.25F, 0.5F, 1, 2, -2})),
            (std::vector<double>{0.25, 0, 1.5}));
  EXPECT_EQ(margins(band, tensor_of({2}, {1, 0.25F})), (std::vector<double>{0.5, 0.25}));
}

TEST(Margin, EntropyOfEqualChancesIsTheLogarithmOfTheirNumber) {
  Margin entropy;
  entropy.kind = MarginKind::entropy;
  const std::vector<double> found = margins(
      entropy, tensor_of({3, 4}, {7, 7, 7, 7, 1000, 0, 0, 0, 0, std::log(3.0F), -200, -200}));
  EXPECT_NEAR(found[0], -std::log(4.0), 1e-12);
  EXPECT_NEAR(found[1], 0, 1e-12);
  EXPECT_NEAR(found[2], 0.25 * std::log(0.25) + 0.75 * std::log(0.75), 1e-6);
  entropy.kind = MarginKind::entropy_of_probabilities;
  EXPECT_NEAR(margins(entropy, tensor_of({1, 4}, {0.5F, 0.25F, 0.25F, 0}))[0], -1.5 * std::log(2.0),
              1e-12);
}

TEST(Margin, OfNanIsNan) {
  const Tensor y = tensor_of({1, 3}, {std::numeric_limits<float>::quiet_NaN(), 1, 5});
  for (const MarginKind kind : {MarginKind::top_two, MarginKind::band, MarginKind::entropy,
                                MarginKind::entropy_of_probabilities}) {
    Margin margin;
    margin.kind = kind;
    EXPECT_TRUE(std::isnan(margins(margin, y)[0]));
  }
}

TEST(Margin, TopTwoOfOneValueIsRefused) {
  const Tensor y = tensor_of({2, 1}, {1, 2});
  const auto found = margins_of({}, {0, 0}, std::span(&y, 1), 2);
  ASSERT_FALSE(found);
  EXPECT_NE(found.status().to_line().find("band"), std::string::npos);
}

TEST(Margin, AFunctionMustGiveOneForEachItem) {
  Margin margin;
  margin.function = [](std::span<const Tensor>, std::int64_t) { return std::vector<double>{1}; };
  const Tensor y = tensor_of({2, 1}, {1, 2});
  EXPECT_FALSE(margins_of(margin, {0, 0}, std::span(&y, 1), 2));
  EXPECT_TRUE(margins_of(margin, {0, 0}, std::span(&y, 1), 1));
}

TEST(SameAnswers, ComparePlacesOrSides) {
  const Tensor a = tensor_of({2, 2, 2}, {1, 2, 5, 4, /**/ 0, 1, 1, 0});
  const Tensor b = tensor_of({2, 2, 2}, {0, 9, 3, 1, /**/ 0, 1, 0, 1});
  EXPECT_EQ(same_answers({}, {0, 0}, a, b, 2), (std::vector<bool>{true, false}));
  Margin band;
  band.kind = MarginKind::band;
  band.center = 2;
  EXPECT_EQ(same_answers(band, {0, 0}, a, b, 2), (std::vector<bool>{false, true}));
}

}  // namespace
}  // namespace pbatch
