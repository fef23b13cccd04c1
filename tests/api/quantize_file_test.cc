#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "pbatch/quantize.h"
#include "pbatch/session.h"
#include "tests/support/networks.h"
#include "tests/support/scratch.h"

namespace pbatch {
namespace {

class QuantizeFile : public testing::Scratch {
 protected:
  void SetUp() override {
    Scratch::SetUp();
    source_ = path("net.onnx");
    testing::write_onnx(testing::mlp({64, 96, 10}), source_);
    before_ = read(source_);
  }
  // The call fails with that code, and nothing in the folder has changed.
  void expect_refused(const std::string& in, const std::string& out, const QuantizeOptions& options,
                      ErrorCode code) {
    const std::size_t files = file_count();
    const auto report = quantize_file(in, out, options);
    ASSERT_FALSE(report);
    EXPECT_EQ(report.status().code(), code) << report.status().to_line();
    EXPECT_FALSE(report.status().remedy().empty());
    EXPECT_EQ(file_count(), files);
    EXPECT_EQ(read(source_), before_);
  }
  std::string source_, before_;
};

TEST_F(QuantizeFile, ReportsWhatItMade) {
  const auto report = quantize_file(source_, path("q.onnx"), {.planes = 6, .group = 32});
  ASSERT_TRUE(report) << report.status().to_line();
  ASSERT_EQ(report->layers.size(), 2u);
  EXPECT_EQ(report->layers[0].name, "fc0");
  EXPECT_TRUE(report->layers[0].quantized);
  EXPECT_EQ(report->layers[0].sqnr_db.size(), 6u);
  EXPECT_FALSE(report->layers[1].quantized);  // 960 weights
  EXPECT_NE(report->layers[1].reason, "");
  EXPECT_EQ(report->float_bytes, (64 * 96 + 96 * 10) * 4);
  EXPECT_EQ(report->model_path, path("q.onnx"));
  EXPECT_EQ(report->data_path, path("q.safetensors"));
  EXPECT_EQ(report->data_bytes,
            static_cast<std::int64_t>(std::filesystem::file_size(path("q.safetensors"))));
  EXPECT_EQ(file_count(), 3u);

  const Result<Session> session = Session::load(path("q.onnx"));
  ASSERT_TRUE(session) << session.status().to_line();
  EXPECT_EQ(session->max_weight_bits(), 6);
}

TEST_F(QuantizeFile, TheSameInputGivesTheSameBytes) {
  ASSERT_TRUE(quantize_file(source_, path("a.onnx"), {.min_elements = 1, .threads = 1}));
  ASSERT_TRUE(quantize_file(source_, path("b.onnx"), {.min_elements = 1, .threads = 3}));
  EXPECT_EQ(read(path("a.safetensors")), read(path("b.safetensors")));
}

TEST_F(QuantizeFile, RefusesPathsBeforeItReadsTheNetwork) {
  expect_refused(source_, source_, {}, ErrorCode::invalid_argument);
  expect_refused(source_, path("q.bin"), {}, ErrorCode::invalid_argument);
  expect_refused(source_, path("absent/q.onnx"), {}, ErrorCode::io);
  expect_refused(path("absent.onnx"), path("q.onnx"), {}, ErrorCode::not_found);
  expect_refused(path("absent.onnx"), path("absent/q.onnx"), {}, ErrorCode::io);
}

TEST_F(QuantizeFile, RefusesWhatItCannotQuantize) {
  expect_refused(source_, path("q.onnx"), {.planes = 17}, ErrorCode::invalid_argument);
  expect_refused(source_, path("q.onnx"), {.group = 33}, ErrorCode::invalid_argument);
  expect_refused(write("junk.onnx", "junk"), path("q.onnx"), {}, ErrorCode::malformed);

  ASSERT_TRUE(quantize_file(source_, path("done.onnx"), {}));
  expect_refused(path("done.onnx"), path("q.onnx"), {}, ErrorCode::invalid_argument);
}

TEST_F(QuantizeFile, AWeightThatIsNoNumberNamesFileAndNode) {
  Graph graph = testing::mlp({64, 96, 10});
  Tensor& weight = *graph.values[static_cast<std::size_t>(graph.nodes[0].inputs[1])].constant;
  weight.mutable_data<float>()[5] = std::numeric_limits<float>::quiet_NaN();
  testing::write_onnx(graph, path("nan.onnx"));
  expect_refused(path("nan.onnx"), path("q.onnx"), {}, ErrorCode::not_finite);
  const Status status = quantize_file(path("nan.onnx"), path("q.onnx"), {}).status();
  EXPECT_EQ(status.file(), path("nan.onnx"));
  EXPECT_EQ(status.node(), "fc0");
}

}  // namespace
}  // namespace pbatch
