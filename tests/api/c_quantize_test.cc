// Options of quantization from C, by name.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "pbatch/pbatch.h"
#include "pbatch/session.h"
#include "tests/support/networks.h"

namespace pbatch {
namespace {

TEST(CQuantize, SettingsByNameCountMoreThanStructs) {
  const std::string net = testing::temp_path("net.onnx"), bits = testing::temp_path("bits.onnx");
  testing::write_onnx(testing::mlp({80, 70, 60}), net);
  const pbatch_quantize_options options = pbatch_quantize_defaults();
  const pbatch_code_options codes = pbatch_code_defaults();
  pbatch_error error;
  const auto quantize = [&](std::vector<const char*> settings) {
    return pbatch_quantize_settings(net.c_str(), bits.c_str(), &options, &codes, settings.data(),
                                    settings.size(), nullptr, &error);
  };
  ASSERT_EQ(quantize({"planes=3", "outliers=0", "floor=1"}), PBATCH_OK) << error.message;
  const Result<Session> made = Session::load(bits);
  ASSERT_TRUE(made) << made.status().to_line();
  ASSERT_FALSE(made->layers().empty());
  for (const LayerInfo& layer : made->layers()) {
    EXPECT_EQ(layer.planes_stored, 3);
    EXPECT_EQ(layer.min_weight_bits, 1);
  }
  for (const char* bad : {"planes=17", "planes=4.5", "planes", "outliers=0.02", "outliers=nan",
                          "min_elements=-1", "depth=3", "floor="}) {
    EXPECT_EQ(quantize({bad}), PBATCH_INVALID_ARGUMENT) << bad;
  }
  EXPECT_EQ(quantize({nullptr}), PBATCH_INVALID_ARGUMENT);
}

}  // namespace
}  // namespace pbatch
