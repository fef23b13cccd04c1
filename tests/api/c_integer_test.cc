// Integer arithmetic from C: the results of the C++ interface.
#include <gtest/gtest.h>

#include <cstring>

#include "pbatch/pbatch.h"
#include "pbatch/quantize.h"
#include "pbatch/session.h"
#include "tests/support/networks.h"

namespace pbatch::testing {
namespace {

TEST(CInteger, GivesWhatCppGives) {
  const std::string path = temp_path("net.onnx"), model = temp_path("net.pbatch.onnx");
  write_onnx(mlp({40, 64, 10}), path);
  QuantizeOptions options;
  options.min_elements = 64;
  options.input_ranges = {{"x", -4, 4}};
  ASSERT_TRUE(quantize_file(path, model, options));
  const std::vector<float> x = random_floats(40, 1);
  const auto session = Session::load(model, {.threads = 1});
  ASSERT_TRUE(session);
  const std::vector<NamedTensor> inputs{{"x", tensor_of({1, 40}, x)}};
  const auto wanted = session->run(inputs, Precision::integer(4, 8));
  ASSERT_TRUE(wanted) << wanted.status().to_line();

  pbatch_error error = {};
  pbatch_session* c = nullptr;
  ASSERT_EQ(pbatch_session_load(model.c_str(), nullptr, &c, &error), PBATCH_OK) << error.message;
  const int64_t shape[] = {1, 40};
  const pbatch_tensor in = {"x", PBATCH_F32, 2, shape, x.data(), sizeof(float) * 40};
  const pbatch_precision precision = {{4, 8}, nullptr, 0};
  pbatch_outputs* outputs = nullptr;
  ASSERT_EQ(pbatch_run_integer(c, &in, 1, &precision, &outputs, &error), PBATCH_OK)
      << error.message;
  pbatch_tensor y = {};
  ASSERT_EQ(pbatch_outputs_get(outputs, 0, &y, &error), PBATCH_OK);
  EXPECT_EQ(std::memcmp(y.data, (*wanted)[0].raw(), sizeof(float) * 10), 0);
  pbatch_outputs_free(outputs);
  static_assert(PBATCH_ACTIVATIONS_8S == kActivations8s);
  const pbatch_precision squeezed = {{4, PBATCH_ACTIVATIONS_8S}, nullptr, 0};
  EXPECT_NE(pbatch_run_integer(c, &in, 1, &squeezed, &outputs, &error), PBATCH_OK);
  EXPECT_NE(std::strstr(error.message, "8s"), nullptr) << error.message;  // without samples
  const pbatch_precision wide = {{4, 32}, nullptr, 0};
  EXPECT_NE(pbatch_run_integer(c, &in, 1, &wide, &outputs, &error), PBATCH_OK);
  EXPECT_EQ(outputs, nullptr);
  pbatch_session_free(c);
}

}  // namespace
}  // namespace pbatch::testing
