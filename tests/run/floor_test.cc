// Layers that runs read at some width at least.
#include <gtest/gtest.h>

#include "pbatch/quantize.h"
#include "pbatch/session.h"
#include "tests/support/networks.h"
#include "tests/support/scratch.h"

namespace pbatch {
namespace {

class Floor : public testing::Scratch {
 protected:
  void SetUp() override {
    testing::write_onnx(testing::mlp({64, 128, 128, 10}), path("net.onnx"));
    const auto with = quantize_file(path("net.onnx"), path("with.onnx"), {.min_elements = 1});
    const auto without =
        quantize_file(path("net.onnx"), path("without.onnx"), {.min_elements = 1, .floor_bits = 1});
    ASSERT_TRUE(with && without);
  }
  Session load(const std::string& name) {
    Result<Session> s = Session::load(path(name));
    EXPECT_TRUE(s) << s.status().to_line();
    return std::move(s).value();
  }
  static std::vector<float> answer(const Session& session, const Precision& precision) {
    const auto y = session.run(
        std::vector<NamedTensor>{
            {"x", testing::tensor_of({3, 64}, testing::random_floats(3 * 64, 9))}},
        precision);
    EXPECT_TRUE(y) << y.status().to_line();
    const auto span = (*y)[0].span<float>();
    return {span.begin(), span.end()};
  }
};

TEST_F(Floor, ARunReadsTheLayerAsIfAnOverrideSaidSo) {
  const Session with = load("with.onnx"), without = load("without.onnx");
  ASSERT_EQ(with.layers().back().name, "fc2");
  EXPECT_EQ(with.layers().back().min_weight_bits, 8);
  EXPECT_EQ(with.layers().front().min_weight_bits, 1);
  EXPECT_EQ(without.layers().back().min_weight_bits, 1);
  Precision wide = Precision::bits(3);
  wide.layers["fc2"] = {8, 16};
  EXPECT_EQ(answer(with, Precision::bits(3)), answer(without, wide));
  EXPECT_NE(answer(with, Precision::bits(3)), answer(without, Precision::bits(3)));
}

TEST_F(Floor, AnOverrideAndAWiderRunWin) {
  const Session with = load("with.onnx"), without = load("without.onnx");
  Precision narrow = Precision::bits(3);
  narrow.layers["fc2"] = {2, 16};
  EXPECT_EQ(answer(with, narrow), answer(without, narrow));
  EXPECT_EQ(answer(with, Precision::bits(8)), answer(without, Precision::bits(8)));
}

TEST_F(Floor, PlanAndBytesSayWhatIsRead) {
  const Session with = load("with.onnx"), without = load("without.onnx");
  const auto plan = with.plan(Precision::bits(3));
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->back().node, "fc2");
  EXPECT_EQ(plan->back().weight_bits, 8);
  Precision wide = Precision::bits(3);
  wide.layers["fc2"] = {8, 16};
  EXPECT_EQ(*with.weight_bytes(Precision::bits(3)), *without.weight_bytes(wide));
}

}  // namespace
}  // namespace pbatch
