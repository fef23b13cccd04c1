// Importance of layers by orthogonality, against its definition worked out by hand.
#include "tools/allocate/orthogonality.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/support/step_networks.h"
#include "tests/tools/allocate/small_session.h"
#include "tools/allocate/allocate.h"
#include "tools/allocate/load_runner.h"

namespace pbatch {
namespace {

using testing::SmallSession;

// Two layers of one direction and one orthogonal to both: gamma = 1, 0, 1.
TEST(Importance, OfOrthogonalLayersIsGreater) {
  const Features features{{{1, 0}, {0, 0}}, {{0, 0, 0}, {0, 2, 0}}, {{0, -3}, {0, 0}}};
  const std::vector<double> importance = importance_of(features);
  const double like = std::exp(-1), greatest = (1 + like) / 2;
  ASSERT_EQ(importance.size(), 3u);
  EXPECT_NEAR(importance[0], (1 + 2 * like) / 3 / greatest, 1e-12);
  EXPECT_NEAR(importance[1], 1, 1e-12);
  EXPECT_NEAR(importance[2], like / greatest, 1e-12);
}

// Features of norms a and b at 60 degrees over one run count as alike, for their Gram matrices are
// numbers; over two runs (1, 0) and (1/2, sqrt 3/2) have the orthogonality 1/4.
TEST(Importance, IsThatOfTheDefinition) {
  const float half = 0.5f, root = std::sqrt(0.75f);
  const std::vector<double> importance = importance_of({{{1}, {0}}, {{half}, {root}}, {{0}, {0}}});
  // gamma = 1/4, 1/4, 0: theta = e^-1/4, e^-1/4, 1.
  const double theta = std::exp(-0.25);
  EXPECT_NEAR(importance[0], (2 * theta + 1) / 3, 1e-6);
  EXPECT_NEAR(importance[1], (theta + 1) / 2, 1e-6);
  EXPECT_NEAR(importance[2], 1, 1e-12);
}

TEST(Importance, OfNothingIsNothing) { EXPECT_TRUE(importance_of({}).empty()); }

TEST(Importance, HalvesWithEachBitOfTheError) {
  std::vector<LayerItem> items(2);
  items[0] = {{"a", "b"}, {{{2, 16}}, {{3, 16}}}};
  items[1] = {{"c"}, {{{2, 16}}}};
  set_errors_by_importance({{"a", 0.25}, {"b", 1}, {"c", 0.5}}, items);
  EXPECT_EQ(items[0].choices[0].squared_error, 1.0 / 16);
  EXPECT_EQ(items[0].choices[1].squared_error, 1.0 / 64);
  EXPECT_EQ(items[1].choices[0].squared_error, 1.0 / 32);
}

class LayerImportance : public SmallSession {
 protected:
  std::map<std::string, double> importance(const InputSets& sets, const QuantizeOptions& options) {
    auto runner = load_runner(path("net.onnx"), options, pool_);
    EXPECT_TRUE(runner) << runner.status().to_line();
    auto made = layer_importance(*runner, sets);
    EXPECT_TRUE(made) << made.status().to_line();
    return made ? *made : std::map<std::string, double>{};
  }
  ThreadPool pool_{1};
};

// What products make is what the float network answers with.
TEST_F(LayerImportance, IsThatOfWhatProductsMake) {
  testing::NetBuilder b;
  const ValueId x = b.input("x", DType::f32, {-1, 24});
  const ValueId y = b.node("MatMul", {x, b.floats({24, 40}, testing::random_floats(960, 1))});
  const ValueId z = b.node("MatMul", {x, b.floats({24, 8}, testing::random_floats(192, 2))});
  const ValueId u = b.node("MatMul", {x, b.floats({24, 3}, testing::random_floats(72, 3))});
  b.output(y, "y", {-1, 40});
  b.output(z, "z", {-1, 8});
  b.output(u, "u", {-1, 3});
  testing::write_onnx(b.graph(), path("net.onnx"));
  const Session session = float_side();
  InputSets sets;
  Features features(3);
  for (unsigned run = 0; run < 4; ++run) {
    sets.push_back(inputs(3, 24, run));
    const auto made = session.run(sets.back(), Precision::f32());
    ASSERT_TRUE(made) << made.status().to_line();
    for (std::size_t layer = 0; layer < 3; ++layer) {
      const auto values = (*made)[layer].span<float>();
      features[layer].emplace_back(values.begin(), values.end());
    }
  }
  const std::vector<double> wanted = importance_of(features);
  QuantizeOptions options;
  options.min_elements = 1;
  const auto found = importance(sets, options);
  ASSERT_EQ(found.size(), 3u);
  EXPECT_NEAR(found.at("MatMul0"), wanted[0], 1e-3);
  EXPECT_NEAR(found.at("MatMul1"), wanted[1], 1e-3);
  EXPECT_NEAR(found.at("MatMul2"), wanted[2], 1e-3);
  EXPECT_LT(*std::min_element(wanted.begin(), wanted.end()), 0.99);
}

TEST_F(LayerImportance, DecidesWidthsWithoutRunsOfLayers) {
  const Session session = quantized({128, 96, 96, 64}, {.planes = 8, .floor_bits = 1});
  const Session whole = float_side();
  const Contender reference{&whole, Precision::f32(), {}, {}};
  const InputSets sets{inputs(16, 128, 5)};
  AllocationRequest request;
  request.limit = Limit::bytes;
  request.most = double(*session.weight_bytes(Precision::bits(4)));
  request.widths = {{1, 2, 3, 4, 5, 6, 7, 8}, {8, 16}, {}, false};
  request.timing = {.seconds = 0, .min_rounds = 1};
  request.importance = {{"fc0", 1e-4}, {"fc1", 1}, {"fc2", 1e-4}};
  Progress silent;
  const auto made = allocate_bits(session, reference, sets, inputs(1, 128, 7), request, silent);
  ASSERT_TRUE(made) << made.status().to_line();
  ASSERT_EQ(made->items.size(), 3u);
  EXPECT_EQ(made->items[1].choices[0].squared_error, 0.25);
  for (const LayerItem& item : made->items) EXPECT_EQ(item.choices[0].bits.activation_bits, 16);
  EXPECT_LE(double(made->chosen.weight_bytes), request.most);
}

}  // namespace
}  // namespace pbatch
