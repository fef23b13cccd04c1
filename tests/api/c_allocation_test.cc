// Bit allocations from C.
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "format/bit_allocation.h"
#include "pbatch/pbatch.h"
#include "pbatch/quantize.h"
#include "pbatch/session.h"
#include "tests/support/networks.h"
#include "tests/support/scratch.h"

namespace pbatch {
namespace {

class CAllocation : public testing::Scratch {
 protected:
  void SetUp() override {
    testing::write_onnx(testing::mlp({64, 96, 80}), path("net.onnx"));
    ASSERT_TRUE(quantize_file(path("net.onnx"), path("q.onnx"), {}));
    ASSERT_EQ(pbatch_session_load(path("q.onnx").c_str(), nullptr, &session_, &error_), PBATCH_OK);
    const auto same = Session::load(path("q.onnx"), {.threads = 1});
    ASSERT_TRUE(same);
    BitAllocation given;
    given.model = "q.onnx";
    given.weights_checksum = same->weights_checksum();
    given.layers = {{"fc0", {3, 8}}, {"fc1", {5, 16}}};
    write("bits.json", allocation_json(given));
  }
  void TearDown() override { pbatch_session_free(session_); }

  std::vector<float> answer(const pbatch_precision& precision) {
    const std::vector<float> x = testing::random_floats(64, 7);
    const std::int64_t shape[2] = {1, 64};
    const pbatch_tensor input = {"x", PBATCH_F32, 2, shape, x.data(), x.size() * sizeof(float)};
    pbatch_outputs* outputs = nullptr;
    EXPECT_EQ(pbatch_run(session_, &input, 1, &precision, &outputs, &error_), PBATCH_OK)
        << error_.message;
    pbatch_tensor y;
    EXPECT_EQ(pbatch_outputs_get(outputs, 0, &y, &error_), PBATCH_OK);
    const auto* first = static_cast<const float*>(y.data);
    std::vector<float> values(first, first + y.bytes / sizeof(float));
    pbatch_outputs_free(outputs);
    return values;
  }

  pbatch_session* session_ = nullptr;
  pbatch_error error_{};
};

TEST_F(CAllocation, IsThePrecisionOfRuns) {
  pbatch_allocation* allocation = nullptr;
  ASSERT_EQ(pbatch_allocation_load(session_, path("bits.json").c_str(), &allocation, &error_),
            PBATCH_OK)
      << error_.message;
  const pbatch_precision* const read = pbatch_allocation_precision(allocation);
  ASSERT_EQ(read->layer_count, 2U);
  const pbatch_layer_bits by_hand[] = {{"fc1", {5, 16}}, {"fc0", {3, 8}}};
  const pbatch_precision precision = {{2, 16}, by_hand, 2};
  EXPECT_EQ(answer(*read), answer(precision));
  pbatch_allocation_free(allocation);
}

TEST_F(CAllocation, ErrorsHaveCodesAndNameTheFile) {
  pbatch_allocation* allocation = nullptr;
  const std::string file = write("other.json", "{}");
  EXPECT_EQ(pbatch_allocation_load(session_, file.c_str(), &allocation, &error_), PBATCH_MALFORMED);
  EXPECT_EQ(allocation, nullptr);
  EXPECT_NE(std::strstr(error_.message, file.c_str()), nullptr);
  EXPECT_EQ(pbatch_allocation_load(session_, path("none").c_str(), &allocation, &error_),
            PBATCH_NOT_FOUND);
  EXPECT_EQ(pbatch_allocation_load(session_, nullptr, &allocation, &error_),
            PBATCH_INVALID_ARGUMENT);
  EXPECT_EQ(pbatch_allocation_load(nullptr, file.c_str(), &allocation, &error_),
            PBATCH_INVALID_ARGUMENT);
  EXPECT_EQ(pbatch_allocation_load(session_, file.c_str(), nullptr, &error_),
            PBATCH_INVALID_ARGUMENT);
  EXPECT_EQ(pbatch_allocation_precision(nullptr), nullptr);
  pbatch_allocation_free(nullptr);
}

}  // namespace
}  // namespace pbatch
