// What is recommended, and the planned frontier.
#include "tools/allocate/advise.h"

#include <gtest/gtest.h>

#include "tests/tools/allocate/small_session.h"
#include "tools/allocate/frontier.h"
#include "tools/allocate/network_error.h"

namespace pbatch {
namespace {

class Advise : public testing::SmallSession {
 protected:
  void open(const std::vector<std::int64_t>& sizes, const QuantizeOptions& options) {
    session_.emplace(quantized(sizes, options));
    float_.emplace(float_side());
    sets_ = {inputs(16, sizes[0], 5)};
    reference_ = {&*float_, Precision::f32(), {}, {}};
  }
  double error_of(const Precision& precision) {
    return *NetworkError::create(reference_, *session_, sets_)->of(precision);
  }
  std::optional<Session> session_, float_;
  Contender reference_;
  InputSets sets_;
  Progress silent_;
};

TEST_F(Advise, TheLeastWidthForEachError) {
  open({128, 160, 96}, {.planes = 7, .floor_bits = 1});
  const auto made = advise_widths(*session_, reference_, sets_, silent_);
  ASSERT_TRUE(made) << made.status().to_line();
  ASSERT_EQ(made->rel_error.size(), 7U);
  for (int bits = 1; bits <= 7; ++bits) {
    EXPECT_EQ(made->rel_error[std::size_t(bits) - 1], error_of(Precision::bits(bits)));
  }
  for (const auto& [error, bits] : made->targets) {
    if (bits > 0) {
      EXPECT_LE(error_of(Precision::bits(bits)), error);
    }
    if (bits != 1) {
      EXPECT_GT(error_of(Precision::bits(bits == 0 ? 7 : bits - 1)), error);
    }
  }
}

TEST_F(Advise, ALayerThatStandsOutIsNamed) {
  // One huge weight in each group of fc0, for an input that is 0: it only makes the steps large.
  Graph graph = testing::mlp({96, 96, 96, 96, 96});
  std::vector<float> w = testing::random_floats(96 * 96, 1);
  for (std::size_t i = 0; i < w.size(); ++i) w[i] *= i % 32 == 0 ? 3.0F : 0.1F;
  graph.values[static_cast<std::size_t>(graph.nodes[0].inputs[1])].constant =
      testing::tensor_of({96, 96}, w);
  std::vector<float> x = testing::random_floats(16 * 96, 5);
  for (std::size_t i = 0; i < x.size(); i += 32) x[i] = 0;
  session_.emplace(quantized(graph, {.planes = 8, .floor_bits = 1}));
  float_.emplace(float_side());
  sets_ = {{{"x", testing::tensor_of({16, 96}, x)}}};
  reference_ = {&*float_, Precision::f32(), {}, {}};
  const auto made = advise_widths(*session_, reference_, sets_, silent_);
  ASSERT_TRUE(made) << made.status().to_line();
  ASSERT_EQ(made->layers.size(), 1U);
  EXPECT_EQ(made->layers[0].first, "fc0");
  EXPECT_GT(made->layers[0].second, 0.5);
}

TEST_F(Advise, ThePlannedFrontierIsNoWiderThanTheUniformOne) {
  open({128, 256, 96, 64}, {.planes = 8, .floor_bits = 1});
  const auto planned =
      plan_frontier(*session_, sets_, {{2, 3, 4, 5}, {8, 16}, {}, false}, 100, silent_);
  ASSERT_TRUE(planned) << planned.status().to_line();
  ASSERT_FALSE(planned->empty());
  for (const PlannedWidth& p : *planned) {
    const Precision uniform = Precision::bits(p.weight_bits);
    EXPECT_LE(*session_->weight_bytes(p.precision), *session_->weight_bytes(uniform));
    EXPECT_LT(error_of(p.precision), 1.1 * error_of(uniform));
    EXPECT_EQ(p.precision.of("fc0").activation_bits, 16);
  }
}

}  // namespace
}  // namespace pbatch
