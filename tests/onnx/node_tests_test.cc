// Every model of ONNX's node tests either imports or is refused in plain words.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "onnx/import.h"

namespace pbatch {
namespace {

namespace fs = std::filesystem;

fs::path node_tests() {
  const char* folder = std::getenv("PBATCH_ONNX_NODE_TESTS");
  return folder != nullptr ? folder : "/usr/lib/python3/dist-packages/onnx/backend/test/data/node";
}

TEST(OnnxNodeTests, EveryModelImportsOrIsUnsupported) {
  if (!fs::is_directory(node_tests())) GTEST_SKIP() << "no folder " << node_tests();
  int imported = 0, refused = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(node_tests())) {
    const fs::path model = entry.path() / "model.onnx";
    if (!fs::exists(model)) continue;
    const Result<Graph> graph = import_onnx(model.string());
    if (graph) {
      ++imported;
      EXPECT_FALSE(graph->outputs.empty()) << model;
      continue;
    }
    ++refused;
    EXPECT_EQ(graph.status().code(), ErrorCode::unsupported) << graph.status().to_line();
    EXPECT_FALSE(graph.status().remedy().empty()) << graph.status().to_line();
    EXPECT_EQ(graph.status().file(), model.string());
  }
  RecordProperty("imported", imported);
  RecordProperty("refused", refused);
  // Strings, sequences and optionals are a small part of the tests.
  EXPECT_GT(imported, 2 * refused);
}

TEST(OnnxNodeTests, EveryTensorDecodesOrIsUnsupported) {
  if (!fs::is_directory(node_tests())) GTEST_SKIP() << "no folder " << node_tests();
  int decoded = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(node_tests())) {
    const fs::path model = entry.path() / "model.onnx";
    // Data of models that are refused may be sequences, which are no tensors.
    if (!fs::exists(model) || !import_onnx(model.string())) continue;
    for (const fs::directory_entry& file :
         fs::directory_iterator(entry.path() / "test_data_set_0")) {
      std::ifstream stream(file.path(), std::ios::binary);
      const std::string bytes((std::istreambuf_iterator<char>(stream)), {});
      const Result<Tensor> tensor = import_tensor_proto(bytes.data(), bytes.size());
      EXPECT_TRUE(tensor) << file.path() << ": " << tensor.status().to_line();
      if (tensor) ++decoded;
    }
  }
  EXPECT_GT(decoded, 0);
}

}  // namespace
}  // namespace pbatch
