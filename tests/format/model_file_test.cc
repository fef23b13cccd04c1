#include "format/model_file.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "quantize/dequantize.h"
#include "tests/format/model_fixture.h"

namespace pbatch {
namespace {

using testing::header_size;
using testing::matrix_of;
using testing::same_bytes;
using testing::Stored;
using testing::tensors_of;

class ModelFile : public testing::ModelFixture {};

TEST_F(ModelFile, ARoundTripKeepsEverything) {
  const Graph before = quantized();
  save(before);
  const Result<Graph> after = load_model(model_);
  ASSERT_TRUE(after) << after.status().to_line();
  ASSERT_EQ(after->nodes.size(), before.nodes.size());
  EXPECT_EQ(after->source_file, model_);
  for (std::size_t i = 0; i < before.nodes.size(); ++i) {
    const Node &a = before.nodes[i], &b = after->nodes[i];
    EXPECT_EQ(a.name, b.name);
    EXPECT_EQ(a.op_type, b.op_type);
    EXPECT_EQ(a.domain, b.domain);
    EXPECT_EQ(a.has_attr("activation"), b.has_attr("activation"));
    ASSERT_EQ(b.inputs.size(), 2u);
    const Tensor *bias_a = before.constant(a.inputs[1]), *bias_b = after->constant(b.inputs[1]);
    ASSERT_TRUE(bias_a != nullptr && bias_b != nullptr);
    EXPECT_TRUE(std::ranges::equal(bias_a->span<float>(), bias_b->span<float>()));
    ASSERT_NE(b.matrix, nullptr);
    const BitMatrix &m = *a.matrix, &n = *b.matrix;
    EXPECT_EQ(std::tuple(m.rows, m.cols, m.group, m.planes_stored, m.codebook_widths),
              std::tuple(n.rows, n.cols, n.group, n.planes_stored, n.codebook_widths));
    EXPECT_TRUE(std::ranges::equal(m.row_scale, n.row_scale));
    EXPECT_TRUE(same_bytes(m.codebook, n.codebook));
    EXPECT_TRUE(same_bytes(m.group_codes, n.group_codes));
    ASSERT_TRUE(n.verify_planes && n.verify_planes(5));  // planes are read when they are needed
    ASSERT_EQ(m.planes.size(), n.planes.size());
    for (std::size_t p = 0; p < m.planes.size(); ++p) {
      EXPECT_TRUE(same_bytes(m.planes[p], n.planes[p]));
      // The file itself starts at a page, so this is the place in the file.
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(n.planes[p].data()) % 64, 0u);
    }
  }
}

// The first weight of each layer is large: 3 of each, so that something can go wrong with order.
Graph with_outliers() {
  Graph graph = testing::mlp({70, 50, 40});
  EXPECT_TRUE(fuse_linear(graph));
  for (Value &value : graph.values) {
    if (!value.constant || value.constant->rank() != 2) continue;
    float *const w = value.constant->mutable_data<float>();
    for (const std::int64_t at : {0, 700, 1300}) w[at] = 50.0F;
  }
  const auto reports =
      quantize_graph(graph, {.planes = 5, .group = 32, .min_elements = 1, .outliers = 0.002});
  EXPECT_TRUE(reports) << reports.status().to_line();
  for (const LayerReport &layer : *reports) EXPECT_EQ(layer.outliers, 3) << layer.name;
  return graph;
}

TEST_F(ModelFile, OutliersComeBackAndMakeItVersion3) {
  const Graph before = with_outliers();
  save(before);
  const Result<Graph> after = load_model(model_);
  ASSERT_TRUE(after) << after.status().to_line();
  EXPECT_EQ(after->metadata.at("pbatch.format_version"), "3");
  for (const char *node : {"fc0", "fc1"}) {
    const auto m = matrix_of(before, node), n = matrix_of(*after, node);
    EXPECT_EQ(n->outlier_places.size(), 3u);
    EXPECT_TRUE(std::ranges::equal(m->outlier_places, n->outlier_places));
    EXPECT_TRUE(std::ranges::equal(m->outlier_values, n->outlier_values));
    ASSERT_TRUE(n->verify_planes(5));
    for (std::size_t p = 0; p < 5; ++p) EXPECT_TRUE(same_bytes(m->planes[p], n->planes[p]));
  }
  std::vector<std::string> names;
  for (const Stored &t : tensors_of(read(data_))) {
    if (t.name.find("outlier") != std::string::npos) names.push_back(t.name);
    EXPECT_TRUE(t.name.find("outlier") == std::string::npos || t.begin % 4 == 0) << t.name;
  }
  EXPECT_EQ(names, (std::vector<std::string>{"fc0/outlier_places", "fc0/outlier_values",
                                             "fc1/outlier_places", "fc1/outlier_values"}));
}

// Older readers take what has none.
TEST_F(ModelFile, WithoutOutliersItIsVersion1) {
  save(quantized());
  const Result<Graph> graph = load_model(model_);
  ASSERT_TRUE(graph);
  EXPECT_EQ(graph->metadata.at("pbatch.format_version"), "1");
}

TEST_F(ModelFile, GraphsOfOneFileShareMatrices) {
  save(quantized());
  const Result<Graph> first = load_model(model_), second = load_model(model_);
  ASSERT_TRUE(first && second);
  for (const char *node : {"fc0", "fc1"}) {
    ASSERT_NE(matrix_of(*first, node), nullptr);
    EXPECT_EQ(matrix_of(*first, node), matrix_of(*second, node));
  }
  EXPECT_NE(matrix_of(*first, "fc0"), matrix_of(*first, "fc1"));
}

TEST_F(ModelFile, AnotherFileOfTheSameNameIsAnother) {
  save(quantized(5, 32));
  const Result<Graph> before = load_model(model_);
  ASSERT_TRUE(before);
  save(quantized(5, 64));
  const Result<Graph> after = load_model(model_);
  ASSERT_TRUE(after) << after.status().to_line();
  EXPECT_NE(matrix_of(*before, "fc0"), matrix_of(*after, "fc0"));
  EXPECT_EQ(matrix_of(*after, "fc0")->group, 64);
  ASSERT_TRUE(matrix_of(*before, "fc0")->verify_planes(5));  // the file that is gone was open
}

TEST_F(ModelFile, ReadingNeedsNoGraphToStay) {
  save(quantized());
  std::shared_ptr<const BitMatrix> matrix;
  {
    const Result<Graph> graph = load_model(model_);
    ASSERT_TRUE(graph);
    matrix = matrix_of(*graph, "fc0");
  }
  std::filesystem::remove(data_);
  EXPECT_TRUE(matrix->verify_planes(5));
  EXPECT_TRUE(dequantize(*matrix, 5, false));
}

TEST_F(ModelFile, TensorsStandBySignificance) {
  save(quantized(3));
  std::vector<std::string> names;
  for (const Stored &t : tensors_of(read(data_))) {
    names.push_back(t.name);
    EXPECT_TRUE(t.name.find("/plane") == std::string::npos || t.begin % 64 == 0) << t.name;
  }
  EXPECT_EQ(names,
            (std::vector<std::string>{"b0", "b1", "fc0/row_scale", "fc1/row_scale", "fc0/codebook",
                                      "fc0/group_codes", "fc1/codebook", "fc1/group_codes",
                                      "pbatch.padding", "fc0/plane0", "fc1/plane0", "fc0/plane1",
                                      "fc1/plane1", "fc0/plane2", "fc1/plane2"}));
  EXPECT_EQ(header_size(read(data_)) % 64, 0u);
}

TEST_F(ModelFile, HostileNamesComeBack) {
  Graph graph = quantized();
  graph.nodes[0].name = std::string("\xff\n\"{}/plane0\x01");
  graph.nodes[1].name = "b";
  // A constant where the second layer's plane would be, and the container's own word.
  graph.values[static_cast<std::size_t>(graph.nodes[0].inputs[1])].name = "b/plane0";
  graph.values[static_cast<std::size_t>(graph.nodes[1].inputs[1])].name = "__metadata__";
  save(graph);
  const Result<Graph> loaded = load_model(model_);
  ASSERT_TRUE(loaded) << loaded.status().to_line();
  ASSERT_EQ(loaded->nodes.size(), 2u);
  EXPECT_EQ(loaded->nodes[0].name, graph.nodes[0].name);
  for (std::size_t i = 0; i < 2; ++i) {
    ASSERT_TRUE(loaded->nodes[i].matrix->verify_planes(1));
    EXPECT_TRUE(same_bytes(loaded->nodes[i].matrix->planes[0], graph.nodes[i].matrix->planes[0]));
    EXPECT_TRUE(std::ranges::equal(loaded->constant(loaded->nodes[i].inputs[1])->span<float>(),
                                   graph.constant(graph.nodes[i].inputs[1])->span<float>()));
  }
  EXPECT_EQ(nlohmann::json::parse(read(data_).substr(8, header_size(read(data_)) - 8))
                .count("%FF%0A\"{}/plane0%01/plane0"),
            1u);
}

TEST_F(ModelFile, SharedMatricesAreStoredOnce) {
  Graph graph = quantized();
  graph.nodes[1].matrix = graph.nodes[0].matrix;
  graph.nodes[1].inputs[1] = kNoValue;
  save(graph);
  EXPECT_EQ(read(data_).find("fc1/"), std::string::npos);
  const Result<Graph> loaded = load_model(model_);
  ASSERT_TRUE(loaded) << loaded.status().to_line();
  EXPECT_EQ(loaded->nodes[0].matrix, loaded->nodes[1].matrix);
}

TEST_F(ModelFile, AFullDiskLeavesNothingAndSparesWhatWasThere) {
  save(quantized());
  const std::string model = read(model_), data = read(data_);
  struct rlimit old {};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
  const auto handler = signal(SIGXFSZ, SIG_IGN);
  for (const std::size_t limit : {std::size_t{0}, std::size_t{100}, data.size() - 1}) {
    rlimit tight = old;
    tight.rlim_cur = limit;
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &tight), 0);
    const Result<SavedModel> over = save_model(quantized(5, 64), model_, "");
    const Result<SavedModel> fresh = save_model(quantized(6), path("new.onnx"), "");
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old), 0);
    EXPECT_EQ(fresh.status().code(), ErrorCode::io) << limit;
    EXPECT_EQ(fresh.status().file(), path("new.safetensors"));
    if (!over) {
      EXPECT_EQ(read(model_), model);
      EXPECT_EQ(read(data_), data);
    }
    EXPECT_EQ(file_count(), 2u) << limit;
  }
  signal(SIGXFSZ, handler);
}

TEST_F(ModelFile, PathsAreCheckedBeforeWork) {
  const std::string source = write("float.onnx", "x");
  const auto check = [&](const std::string &to) { return check_model_path(to, {&source, 1}); };
  EXPECT_EQ(check(path("q.bin")).code(), ErrorCode::invalid_argument);
  EXPECT_EQ(check(source).code(), ErrorCode::invalid_argument);
  EXPECT_EQ(check(path("../") + folder_.filename().string() + "/float.onnx").code(),
            ErrorCode::invalid_argument);
  EXPECT_EQ(check(path("no/such/q.onnx")).code(), ErrorCode::io);
  EXPECT_TRUE(check(path("q.onnx")));
  EXPECT_FALSE(save_model(quantized(), path("q.bin"), ""));
  EXPECT_FALSE(save_model(quantized(), source, source));
  EXPECT_EQ(read(source), "x");
}

TEST_F(ModelFile, BothFilesMayBeLinksIntoOneFolder) {
  save(quantized());
  namespace fs = std::filesystem;
  fs::create_directories(path("blobs"));
  fs::create_directories(path("snapshots/abc"));
  for (const auto &[file, blob] : {std::pair(model_, "1"), std::pair(data_, "2")}) {
    fs::rename(file, path("blobs/") + blob);
    fs::create_symlink(std::string("../../blobs/") + blob,
                       folder_ / "snapshots/abc" / fs::path(file).filename());
  }
  const Result<Graph> graph = load_model(path("snapshots/abc/q.onnx"));
  ASSERT_TRUE(graph) << graph.status().to_line();
  EXPECT_EQ(matrix_of(*graph, "fc0")->planes_available(), 5);
}

// The link is what is named: the network's data lies beside it.
TEST_F(ModelFile, AFloatSourceThatIsALinkIsRecordedAsOne) {
  std::filesystem::create_directory(path("blobs"));
  testing::write_onnx(testing::mlp({70, 50, 40}), path("blobs/1"));
  std::filesystem::create_symlink("blobs/1", path("float.onnx"));
  ASSERT_TRUE(save_model(quantized(), model_, path("float.onnx")));
  const Result<Graph> graph = load_model(model_);
  ASSERT_TRUE(graph) << graph.status().to_line();
  EXPECT_EQ(std::filesystem::path(float_source_of(*graph)).filename(), "float.onnx");
}

TEST_F(ModelFile, TheFloatSourceIsFoundWhileItIsTheSame) {
  std::filesystem::create_directory(path("sub"));
  const std::string source = path("float.onnx");
  testing::write_onnx(testing::mlp({70, 50, 40}), source);
  ASSERT_TRUE(save_model(quantized(), path("sub/q.onnx"), source));
  const Result<Graph> graph = load_model(path("sub/q.onnx"));
  ASSERT_TRUE(graph) << graph.status().to_line();
  EXPECT_TRUE(std::filesystem::equivalent(float_source_of(*graph), source));
  std::string bytes = read(source);
  bytes.back() ^= 1;
  write("float.onnx", bytes);
  EXPECT_EQ(float_source_of(*graph), "");
  std::filesystem::remove(source);
  EXPECT_EQ(float_source_of(*graph), "");
  EXPECT_EQ(float_source_of(testing::mlp({2, 2})), "");
}

TEST_F(ModelFile, FloatNetworksLoadAsTheyAre) {
  testing::write_onnx(testing::mlp({7, 5}), path("f.onnx"));
  const Result<Graph> graph = load_model(path("f.onnx"));
  ASSERT_TRUE(graph);
  EXPECT_EQ(graph->nodes[0].op_type, "Gemm");
  EXPECT_EQ(load_model(path("absent.onnx")).status().code(), ErrorCode::not_found);
}

// Other programs keep weights of float networks in safetensors files too.
TEST_F(ModelFile, FloatNetworksMayUseSafetensorsOfOthers) {
  const Graph graph = testing::mlp({7, 5});
  const ValueId weight = graph.nodes[0].inputs[1];
  const Tensor &w = *graph.constant(weight);
  std::string data = R"({"other":{"dtype":"F32","shape":[5,7],"data_offsets":[0,140]}})";
  const std::size_t start = 8 + data.size();
  data.insert(0, std::string(1, static_cast<char>(data.size())) + std::string(7, '\0'));
  data.append(static_cast<const char *>(w.raw()), w.bytes());
  write("w.safetensors", data);
  const auto bytes = export_onnx(graph, [&](ValueId id) -> std::optional<ExternalPlace> {
    if (id != weight) return std::nullopt;
    return ExternalPlace{"w.safetensors", static_cast<std::int64_t>(start), 140};
  });
  ASSERT_TRUE(bytes);
  const Result<Graph> loaded = load_model(write("f.onnx", *bytes));
  ASSERT_TRUE(loaded) << loaded.status().to_line();
  EXPECT_TRUE(std::ranges::equal(loaded->constant(loaded->nodes[0].inputs[1])->span<float>(),
                                 w.span<float>()));
}

}  // namespace
}  // namespace pbatch
