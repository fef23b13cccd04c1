// Model files that are cut, damaged or mixed up.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "format/model_file.h"
#include "quantize/dequantize.h"
#include "tests/format/model_fixture.h"

namespace pbatch {
namespace {

using testing::header_size;
using testing::matrix_of;
using testing::Stored;
using testing::tensors_of;

class DamagedModel : public testing::ModelFixture {};

TEST_F(DamagedModel, CutAnywhereItRunsAtTheWidthsItHoldsOrSaysWhy) {
  const Graph whole = quantized();
  save(whole);
  const std::string bytes = read(data_);
  const std::vector<Stored> tensors = tensors_of(bytes);
  for (const Stored& t : tensors) {
    for (const std::size_t size : {t.begin, t.begin + 1, t.end - 1}) {
      write("q.safetensors", bytes.substr(0, size));
      const auto present = [&](const std::string& name) {
        return std::ranges::any_of(
            tensors, [&](const Stored& u) { return u.name == name && u.end <= size; });
      };
      const Result<Graph> cut = load_model(model_);
      if (!present("fc1/group_codes")) {
        ASSERT_FALSE(cut) << size;
        EXPECT_EQ(cut.status().code(), ErrorCode::malformed);
        EXPECT_NE(cut.status().message().find("cut"), std::string::npos) << cut.status().to_line();
        EXPECT_FALSE(cut.status().file().empty());
        continue;
      }
      ASSERT_TRUE(cut) << t.name << ": " << cut.status().to_line();
      for (const char* layer : {"fc0", "fc1"}) {
        const auto matrix = matrix_of(*cut, layer);
        int planes = 0;
        while (present(std::string(layer) + "/plane" + std::to_string(planes))) ++planes;
        EXPECT_EQ(matrix->planes_available(), planes);
        EXPECT_EQ(matrix->planes_stored, 5);
        EXPECT_TRUE(matrix->verify_planes(planes));
        for (int n = 1; n <= planes; ++n) {
          const Result<Tensor> a = dequantize(*matrix, n, false);
          const Result<Tensor> b = dequantize(*matrix_of(whole, layer), n, false);
          ASSERT_TRUE(a && b);
          EXPECT_TRUE(std::ranges::equal(a->span<float>(), b->span<float>()));
        }
      }
    }
  }
}

TEST_F(DamagedModel, EveryFlippedBitOfTheDataIsFound) {
  save(quantized());
  const std::string bytes = read(data_);
  const std::size_t start = header_size(bytes);
  std::size_t planes_begin = 0;
  for (const Stored& t : tensors_of(bytes)) {
    if (t.name == "fc0/plane0") planes_begin = t.begin;
  }
  for (std::size_t at = start; at < bytes.size(); at += 61) {
    std::string flipped = bytes;
    flipped[at] = static_cast<char>(flipped[at] ^ (1 << at % 8));
    write("q.safetensors", flipped);
    const Result<Graph> graph = load_model(model_);
    if (at < planes_begin) {
      const bool padding = planes_begin - at <= 64 && graph;  // means nothing
      EXPECT_TRUE(padding || graph.status().code() == ErrorCode::malformed) << at;
      continue;
    }
    ASSERT_TRUE(graph) << at;  // planes are not read before they are used
    int failures = 0;
    for (const char* layer : {"fc0", "fc1"}) {
      const Status s = matrix_of(*graph, layer)->verify_planes(5);
      if (s) continue;
      ++failures;
      EXPECT_EQ(s.code(), ErrorCode::malformed);
      EXPECT_EQ(s.file(), data_);
      EXPECT_NE(s.message().find("checksum"), std::string::npos);
    }
    EXPECT_EQ(failures, 1) << at;
  }
}

TEST_F(DamagedModel, DamageInAPlaneSparesTheWidthsBelow) {
  save(quantized());
  std::string bytes = read(data_);
  for (const Stored& t : tensors_of(bytes)) {
    if (t.name == "fc1/plane3") bytes[t.begin + 5] ^= 4;
  }
  write("q.safetensors", bytes);
  const Result<Graph> graph = load_model(model_);
  ASSERT_TRUE(graph);
  const auto matrix = matrix_of(*graph, "fc1");
  EXPECT_TRUE(matrix->verify_planes(3));
  EXPECT_FALSE(matrix->verify_planes(4));
  EXPECT_TRUE(matrix->verify_planes(2));
  EXPECT_TRUE(matrix_of(*graph, "fc0")->verify_planes(5));
}

// Another program cuts or overwrites the file while a model has it open.
TEST_F(DamagedModel, WhatHappensToTheFileAfterLoadingIsAnErrorOrDoesNotMatter) {
  save(quantized());
  const std::string bytes = read(data_);
  for (const std::size_t left : {std::size_t{0}, std::size_t{100}, bytes.size() - 1}) {
    write("q.safetensors", bytes);
    const Result<Graph> graph = load_model(model_);
    ASSERT_TRUE(graph);
    const auto matrix = matrix_of(*graph, "fc1");
    ASSERT_TRUE(matrix->verify_planes(2));
    const Result<Tensor> before = dequantize(*matrix, 2, false);
    std::filesystem::resize_file(data_, left);
    EXPECT_EQ(matrix->verify_planes(5).code(), ErrorCode::io) << left;
    EXPECT_EQ(matrix->verify_planes(5).file(), data_);
    ASSERT_TRUE(matrix->verify_planes(2));
    const Result<Tensor> after = dequantize(*matrix, 2, false);
    EXPECT_TRUE(std::ranges::equal(before->span<float>(), after->span<float>()));
    write("q.safetensors", std::string(bytes.size(), 'x'));
    EXPECT_EQ(matrix->verify_planes(5).code(), ErrorCode::malformed) << left;
    write("q.safetensors", bytes);  // and back again
    EXPECT_TRUE(matrix->verify_planes(5)) << left;
  }
}

TEST_F(DamagedModel, DamageInTheHeaderNeverPasses) {
  save(quantized());
  const std::string bytes = read(data_);
  const std::size_t json_end = bytes.find_last_of('}', header_size(bytes) - 1);
  for (std::size_t at = 0; at <= json_end; at += 7) {
    std::string flipped = bytes;
    flipped[at] = static_cast<char>(flipped[at] ^ 1);
    write("q.safetensors", flipped);
    const Result<Graph> graph = load_model(model_);
    bool found = !graph;
    for (const char* layer : {"fc0", "fc1"}) {
      if (graph) found = found || !matrix_of(*graph, layer)->verify_planes(5);
    }
    // Where a flip changes no meaning, such as the padding's checksum, all bits are still right.
    if (!found) {
      const Graph whole = quantized();
      for (const char* layer : {"fc0", "fc1"}) {
        const auto a = dequantize(*matrix_of(*graph, layer), 5, false);
        const auto b = dequantize(*matrix_of(whole, layer), 5, false);
        ASSERT_TRUE(a && b);
        EXPECT_TRUE(std::ranges::equal(a->span<float>(), b->span<float>())) << at;
      }
    }
  }
}

TEST_F(DamagedModel, DamageInTheGraphNeverCrashes) {
  save(quantized());
  const std::string bytes = read(model_);
  for (std::size_t at = 0; at < bytes.size(); at += 5) {
    std::string flipped = bytes;
    flipped[at] = static_cast<char>(flipped[at] ^ (1 << at % 8));
    write("q.onnx", flipped);
    const Result<Graph> graph = load_model(model_);
    if (!graph) {
      EXPECT_FALSE(graph.status().message().empty());
      continue;
    }
    for (const Node& node : graph->nodes) {
      if (node.matrix != nullptr) (void)node.matrix->verify_planes(node.matrix->planes_available());
    }
  }
}

TEST_F(DamagedModel, ThePairMustBelongTogether) {
  save(quantized());
  const std::string data = read(data_);
  Graph other = quantized();
  other.values[static_cast<std::size_t>(other.nodes[0].inputs[1])].constant =
      testing::tensor_of({50}, testing::random_floats(50, 777));
  save(other);
  write("q.safetensors", data);
  const Result<Graph> graph = load_model(model_);
  ASSERT_FALSE(graph);
  EXPECT_EQ(graph.status().code(), ErrorCode::malformed);
  EXPECT_NE(graph.status().message().find("another model"), std::string::npos)
      << graph.status().to_line();

  std::filesystem::remove(data_);
  const Status missing = load_model(model_).status();
  EXPECT_EQ(missing.code(), ErrorCode::not_found);
  EXPECT_NE(missing.to_line().find("q.safetensors"), std::string::npos) << missing.to_line();
}

TEST_F(DamagedModel, OtherVersionsAreRefused) {
  save(quantized());
  std::string bytes = read(model_);
  const std::size_t at = bytes.find("pbatch.format_version");
  ASSERT_NE(at, std::string::npos);
  const std::size_t value = at + std::strlen("pbatch.format_version") + 2;  // tag and length
  ASSERT_EQ(bytes[value], '1');
  bytes[value] = '4';
  write("q.onnx", bytes);
  EXPECT_EQ(load_model(model_).status().code(), ErrorCode::unsupported);
}

TEST_F(DamagedModel, ABitLayerOperatorOutsideAModelIsAnError) {
  Graph graph = quantized();
  for (Node& n : graph.nodes) n.matrix = nullptr;
  testing::write_onnx(graph, path("f.onnx"));
  EXPECT_EQ(load_model(path("f.onnx")).status().code(), ErrorCode::malformed);
  graph.metadata["pbatch.format_version"] = kFormatVersion;
  testing::write_onnx(graph, path("g.onnx"));
  const Status s = load_model(path("g.onnx")).status();
  EXPECT_EQ(s.code(), ErrorCode::malformed);
  EXPECT_EQ(s.node(), "fc0");
}

}  // namespace
}  // namespace pbatch
