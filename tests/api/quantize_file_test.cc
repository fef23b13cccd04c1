#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "onnx/onnx.pb.h"
#include "pbatch/quantize.h"
#include "pbatch/session.h"
#include "tests/support/networks.h"
#include "tests/support/scratch.h"

namespace pbatch {
namespace {

class QuantizeFile : public testing::Scratch {
 protected:
  void SetUp() override {
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

TEST(QuantizeSchemes, AreReadByTheNamesOfTheirTable) {
  EXPECT_EQ(scheme_names(), (std::vector<std::string>{"auto", "plain", "compensated"}));
  EXPECT_EQ(*parse_scheme("auto"), Scheme::automatic);
  EXPECT_EQ(*parse_scheme("plain"), Scheme::plain);
  EXPECT_EQ(*parse_scheme("compensated"), Scheme::compensated);
  for (const char* name : {"", "best", "PLAIN", "automatic"}) {
    const Status status = parse_scheme(name).status();
    EXPECT_EQ(status.code(), ErrorCode::invalid_argument) << name;
    EXPECT_NE(status.remedy().find("auto, plain, compensated"), std::string::npos);
  }
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

// The network's weights lie in another file, which has the name of an output or leads to it.
TEST_F(QuantizeFile, NeverOverwritesWhatItReads) {
  // A safetensors file of another program, which any name may have.
  std::string header = R"({"w":{"dtype":"F32","shape":[96,64],"data_offsets":[0,24576]}})";
  header.resize(120, ' ');
  const std::string weights =
      std::string("\x78\0\0\0\0\0\0\0", 8) + header + std::string(64 * 96 * 4, '\1');
  onnx::ModelProto model;
  ASSERT_TRUE(model.ParseFromString(before_));
  for (const char* data : {"q.safetensors", "weights.bin", "linked.bin"}) {
    write(data, weights);
    onnx::TensorProto& w = *model.mutable_graph()->mutable_initializer(0);
    ASSERT_EQ(w.dims(0) * w.dims(1), 64 * 96);
    w.clear_raw_data();
    w.clear_float_data();
    w.set_data_location(onnx::TensorProto::EXTERNAL);
    w.clear_external_data();
    for (const auto& [key, value] : {std::pair("location", data), std::pair("offset", "128")}) {
      onnx::StringStringEntryProto& entry = *w.add_external_data();
      entry.set_key(key);
      entry.set_value(value);
    }
    source_ = write("net.onnx", model.SerializeAsString());
    before_ = read(source_);
    ASSERT_TRUE(quantize_file(source_, path("other.onnx"), {})) << data;
    std::filesystem::remove(path("other.onnx"));
    std::filesystem::remove(path("other.safetensors"));
    if (data == std::string("weights.bin")) {
      std::filesystem::create_symlink(data, path("q.safetensors"));
    } else if (data == std::string("linked.bin")) {
      std::filesystem::create_hard_link(path(data), path("q.safetensors"));
    }
    expect_refused(source_, path("q.onnx"), {}, ErrorCode::invalid_argument);
    EXPECT_EQ(read(path(data)), weights);
    std::filesystem::remove(path("q.safetensors"));
    std::filesystem::create_symlink(data, path("q.onnx"));
    if (std::filesystem::exists(path("q.onnx"))) {
      expect_refused(source_, path("q.onnx"), {}, ErrorCode::invalid_argument);
      EXPECT_EQ(read(path(data)), weights);
    }
    std::filesystem::remove(path("q.onnx"));
  }
}

TEST_F(QuantizeFile, RefusesWhatItCannotQuantize) {
  expect_refused(source_, path("q.onnx"), {.planes = 17}, ErrorCode::invalid_argument);
  expect_refused(source_, path("q.onnx"), {.group = 33}, ErrorCode::invalid_argument);
  expect_refused(write("junk.onnx", "junk"), path("q.onnx"), {}, ErrorCode::malformed);

  ASSERT_TRUE(quantize_file(source_, path("done.onnx"), {}));
  expect_refused(path("done.onnx"), path("q.onnx"), {}, ErrorCode::invalid_argument);
}

TEST_F(QuantizeFile, AWeightThatIsNoNumberKeepsItsLayerFloat) {
  Graph graph = testing::mlp({64, 96, 10});
  Tensor& weight = *graph.values[static_cast<std::size_t>(graph.nodes[0].inputs[1])].constant;
  weight.mutable_data<float>()[5] = std::numeric_limits<float>::quiet_NaN();
  testing::write_onnx(graph, path("nan.onnx"));
  const auto report = quantize_file(path("nan.onnx"), path("q.onnx"), {.min_elements = 1});
  ASSERT_TRUE(report) << report.status().to_line();
  EXPECT_NE(report->layers[0].reason.find("NaN"), std::string::npos);
  EXPECT_TRUE(report->layers[1].quantized);
}

}  // namespace
}  // namespace pbatch
