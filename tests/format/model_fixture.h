// A small quantized network and its files.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "format/model_file.h"
#include "graph/passes.h"
#include "layout/bit_matrix.h"
#include "quantize/quantize_graph.h"
#include "tests/support/networks.h"
#include "tests/support/scratch.h"

namespace pbatch::testing {

// Where each tensor lies, read from the header by other code than ours.
struct Stored {
  std::string name;
  std::size_t begin, end;
};

inline std::size_t header_size(const std::string& file) {
  std::uint64_t length = 0;
  for (int i = 7; i >= 0; --i)
    length = length << 8 | static_cast<std::uint8_t>(file[std::size_t(i)]);
  return 8 + length;
}

inline std::vector<Stored> tensors_of(const std::string& file) {
  const std::size_t start = header_size(file);
  std::vector<Stored> tensors;
  const auto json = nlohmann::json::parse(file.substr(8, start - 8));
  for (const auto& [name, value] : json.items()) {
    if (name == "__metadata__") continue;
    const auto& at = value["data_offsets"];
    tensors.push_back({name, start + at[0].get<std::size_t>(), start + at[1].get<std::size_t>()});
  }
  std::sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  return tensors;
}

inline std::shared_ptr<const BitMatrix> matrix_of(const Graph& graph, const std::string& node) {
  for (const Node& n : graph.nodes) {
    if (n.name == node) return n.matrix;
  }
  return nullptr;
}

inline bool same_bytes(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

class ModelFixture : public Scratch {
 protected:
  // 70 -> 50 -> 40, as bit-layers.
  Graph quantized(int planes = 5, int group = 32) {
    Graph graph = mlp({70, 50, 40});
    EXPECT_TRUE(fuse_linear(graph));
    const auto reports =
        quantize_graph(graph, {.planes = planes, .group = group, .min_elements = 1});
    EXPECT_TRUE(reports) << reports.status().to_line();
    return graph;
  }

  void save(const Graph& graph) {
    const Result<SavedModel> saved = save_model(graph, model_, "");
    ASSERT_TRUE(saved) << saved.status().to_line();
    EXPECT_EQ(saved->data_path, data_);
    EXPECT_EQ(saved->model_bytes, static_cast<std::int64_t>(std::filesystem::file_size(model_)));
    EXPECT_EQ(saved->data_bytes, static_cast<std::int64_t>(std::filesystem::file_size(data_)));
  }

  void SetUp() override {
    model_ = path("q.onnx");
    data_ = path("q.safetensors");
  }
  std::string model_, data_;
};

}  // namespace pbatch::testing
