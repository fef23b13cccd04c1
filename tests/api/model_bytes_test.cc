#include "pbatch/model_bytes.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>

#include "pbatch/session.h"
#include "tests/support/networks.h"
#include "tests/support/scratch.h"

namespace pbatch {
namespace {

std::vector<float> run_model(const Session& session, int bits) {
  std::vector<float> values(64);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 7) - 3.0f;
  const auto x = Tensor::from_floats({1, 64}, values);
  const std::vector<NamedTensor> inputs = {{session.inputs()[0].name, *x}};
  const auto y = session.run(inputs, Precision::bits(bits));
  EXPECT_TRUE(y) << y.status().to_line();
  if (!y) return {};
  const auto span = (*y)[0].span<float>();
  return {span.begin(), span.end()};
}

class ModelInMemory : public testing::Scratch {
 protected:
  void SetUp() override {
    source_ = path("net.onnx");
    testing::write_onnx(testing::mlp({64, 96, 10}), source_);
    const auto report = quantize_file(source_, path("q.onnx"), options_);
    ASSERT_TRUE(report) << report.status().to_line();
    files_ = {read(path("q.onnx")), read(path("q.safetensors"))};
  }
  const QuantizeOptions options_{.planes = 6, .min_elements = 1};
  std::string source_;
  ModelBytes files_;
};

TEST_F(ModelInMemory, HoldsTheDataOfTheFile) {
  const auto from_file = quantize_to_bytes(source_, options_);
  const auto from_bytes = quantize_bytes(read(source_), options_);
  for (const auto* made : {&from_file, &from_bytes}) {
    ASSERT_TRUE(*made) << made->status().to_line();
    EXPECT_EQ((*made)->bytes.data, files_.data);
    EXPECT_EQ((*made)->report.layers.size(), 2u);
    EXPECT_EQ((*made)->report.float_bytes, (64 * 96 + 96 * 10) * 4);
    EXPECT_EQ((*made)->report.data_bytes, static_cast<std::int64_t>(files_.data.size()));
    EXPECT_EQ((*made)->report.model_bytes, static_cast<std::int64_t>((*made)->bytes.model.size()));
    EXPECT_EQ((*made)->report.model_path, "");
  }
}

TEST_F(ModelInMemory, RunsAsItsFilesDo) {
  const auto on_disk = Session::load(path("q.onnx"));
  const auto made = quantize_bytes(read(source_), options_);
  ASSERT_TRUE(made) << made.status().to_line();
  for (const ModelBytes& bytes : {files_, made->bytes}) {
    // Moved off its alignment: the bytes of a caller may lie anywhere.
    const std::string shifted = "x" + bytes.data;
    const auto session =
        Session::load_bytes(bytes.model, std::string_view(shifted).substr(1), {.threads = 1});
    ASSERT_TRUE(session) << session.status().to_line();
    EXPECT_EQ(session->max_weight_bits(), 6);
    EXPECT_EQ(session->float_source(), "");
    for (const int bits : {1, 4, 6})
      EXPECT_EQ(run_model(*session, bits), run_model(*on_disk, bits));
  }
  const auto net = Session::load_bytes(read(source_), {});
  ASSERT_TRUE(net) << net.status().to_line();
  EXPECT_EQ(net->max_weight_bits(), 0);
  EXPECT_EQ(run_model(*net, 4), run_model(*Session::load(source_), 4));
}

TEST_F(ModelInMemory, IsWrittenAsQuantizeFileDoes) {
  const Status written = write_model(files_, path("again.onnx"));
  ASSERT_TRUE(written) << written.to_line();
  EXPECT_EQ(read(path("again.safetensors")), files_.data);
  const auto session = Session::load(path("again.onnx"));
  ASSERT_TRUE(session) << session.status().to_line();
  EXPECT_EQ(run_model(*session, 3), run_model(*Session::load(path("q.onnx")), 3));

  EXPECT_EQ(write_model(files_, path("again.bin")).code(), ErrorCode::invalid_argument);
  EXPECT_EQ(write_model({read(source_), {}}, path("f.onnx")).code(), ErrorCode::invalid_argument);
}

TEST_F(ModelInMemory, LacksNothingInSilence) {
  const auto refused = [](std::string_view model, std::string_view data, ErrorCode code) {
    const Status status = Session::load_bytes(model, data).status();
    EXPECT_EQ(status.code(), code) << status.to_line();
    EXPECT_NE(status.remedy(), "");
  };
  refused(files_.model, {}, ErrorCode::not_found);
  refused({}, {}, ErrorCode::malformed);
  refused(files_.model.substr(0, 100), files_.data, ErrorCode::malformed);
  refused(files_.model, files_.data.substr(0, 100), ErrorCode::malformed);
  const auto other = quantize_bytes(read(source_), {.planes = 5, .min_elements = 1});
  refused(files_.model, other->bytes.data, ErrorCode::malformed);
  EXPECT_EQ(quantize_bytes(files_.model, options_).status().code(), ErrorCode::not_found);
  EXPECT_EQ(quantize_to_bytes(path("q.onnx"), options_).status().code(),
            ErrorCode::invalid_argument);
}

TEST_F(ModelInMemory, CutAfterSomePlanesHoldsThoseWidths) {
  const std::string cut = files_.data.substr(0, files_.data.size() - 2000);  // of planes of 768
  const auto session = Session::load_bytes(files_.model, cut);
  ASSERT_TRUE(session) << session.status().to_line();
  EXPECT_GE(session->max_weight_bits(), 1);
  EXPECT_LT(session->max_weight_bits(), 6);
  EXPECT_EQ(run_model(*session, 1), run_model(*Session::load(path("q.onnx")), 1));
}

TEST_F(ModelInMemory, KnowsWhoSharesAResult) {
  const auto tensor = Tensor::from_floats({2}, std::vector<float>{1, 2});
  EXPECT_FALSE(tensor->is_shared());
  const Tensor other = tensor->reshaped({1, 2});
  EXPECT_TRUE(tensor->is_shared());
}

}  // namespace
}  // namespace pbatch
