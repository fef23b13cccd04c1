// Inputs that are recorded while a network is fed: as many as promised, and ones that it takes.
#include "tools/allocate/record_inputs.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "tests/support/networks.h"
#include "tests/support/scratch.h"
#include "tests/support/step_networks.h"

namespace pbatch {
namespace {

using testing::mlp;
using testing::random_floats;
using testing::tensor_of;
using testing::write_onnx;

class RecordInputs : public testing::Scratch {
 protected:
  void SetUp() override { write_onnx(mlp({64, 128, 96}), path("net.onnx")); }
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

TEST_F(RecordInputs, ALanguageModelCarriesItsStates) {
  write_onnx(testing::running_sum_net(200, 64, /*time_first=*/false, /*state=*/true),
             path("lm.onnx"));
  const RecordedInputs made = record(path("lm.onnx"));
  EXPECT_EQ(made.statistics, Statistics::own_text);
  ASSERT_GE(made.sets.size(), 8U);
  for (std::size_t i = 0; i < made.sets.size(); ++i) {
    double state = 0;
    for (const NamedTensor& input : made.sets[i]) {
      for (std::int64_t e = 0; e < input.tensor.size(); ++e) {
        if (input.name == "h0") {
          state += std::abs(input.tensor.data<float>()[e]);
        } else {
          EXPECT_LT(input.tensor.data<std::int64_t>()[e], 200);
          EXPECT_GE(input.tensor.data<std::int64_t>()[e], 0);
        }
      }
    }
    EXPECT_EQ(state > 0, i > 0);  // zero at the start of the text only
  }
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
