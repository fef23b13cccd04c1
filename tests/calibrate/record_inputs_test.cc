// Inputs that are recorded while a network is fed: as many as promised, and ones that it takes.
#include "calibrate/record_inputs.h"

#include <gtest/gtest.h>

#include <cstring>

#include "tests/support/networks.h"
#include "tests/support/scratch.h"

namespace pbatch {
namespace {

using testing::mlp;
using testing::random_floats;
using testing::tensor_of;
using testing::write_onnx;

class RecordInputs : public testing::Scratch {
 protected:
  void SetUp() override {
    Scratch::SetUp();
    write_onnx(mlp({64, 128, 96}), path("net.onnx"));
  }
  RecordedInputs record(const std::string& file, const QuantizeOptions& options = {}) {
    Result<RecordedInputs> made = record_inputs(file, options, pool_);
    EXPECT_TRUE(made) << made.status().to_line();
    return made ? *made : RecordedInputs{};
  }
  ThreadPool pool_{1};
};

void expect_same(const InputSets& a, const InputSets& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    ASSERT_EQ(a[i][0].tensor.shape(), b[i][0].tensor.shape());
    EXPECT_EQ(std::memcmp(a[i][0].tensor.raw(), b[i][0].tensor.raw(), a[i][0].tensor.bytes()), 0);
  }
}

TEST_F(RecordInputs, NoiseForANetworkOnFloats) {
  const RecordedInputs made = record(path("net.onnx"));
  EXPECT_EQ(made.statistics, Statistics::noise);
  EXPECT_GE(made.sets.size(), 8U);
  EXPECT_LT(made.sets.size(), 16U);
  EXPECT_EQ(made.sets[0][0].name, "x");
  expect_same(made.sets, record(path("net.onnx")).sets);
}

TEST_F(RecordInputs, AModelIsFedAsItsFloatNetwork) {
  ASSERT_TRUE(quantize_file(path("net.onnx"), path("q.onnx"), {.planes = 5}));
  expect_same(record(path("q.onnx")).sets, record(path("net.onnx")).sets);
}

TEST_F(RecordInputs, SamplesComeAsTheyAre) {
  const std::vector<float> values = random_floats(8 * 64, 3);
  QuantizeOptions options;
  options.samples.push_back({"", tensor_of({8, 64}, values), false});
  const RecordedInputs made = record(path("net.onnx"), options);
  EXPECT_EQ(made.statistics, Statistics::samples);
  ASSERT_EQ(made.sets.size(), 1U);  // six items, which fit one run
  EXPECT_EQ(made.sets[0][0].tensor.shape(), (Shape{6, 64}));
  EXPECT_EQ(std::memcmp(made.sets[0][0].tensor.raw(), values.data(), 6 * 64 * 4), 0);
}

TEST_F(RecordInputs, SamplesThatDoNotFitAreAnError) {
  QuantizeOptions options;
  options.samples.push_back({"", tensor_of({8, 63}, random_floats(8 * 63, 3)), false});
  EXPECT_FALSE(record_inputs(path("net.onnx"), options, pool_));
}

}  // namespace
}  // namespace pbatch
