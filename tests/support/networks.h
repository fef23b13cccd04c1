// Small networks that tests build in memory and write where they like.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "onnx/export.h"
#include "tests/support/temp_folder.h"

namespace pbatch::testing {

/// Normally distributed floats from a fixed seed.
inline std::vector<float> random_floats(std::size_t count, unsigned seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& v : values) v = normal(engine);
  return values;
}

inline Tensor tensor_of(Shape shape, const std::vector<float>& values) {
  Result<Tensor> t = Tensor::from_floats(std::move(shape), values);
  EXPECT_TRUE(t) << t.status().to_line();
  return t ? *t : Tensor{};
}

/// x [N, sizes[0]] -> Gemm (weights [out, in], bias) -> Relu -> ... -> Gemm -> y.
/// Node i is "fc<i>"; its weights are random_floats(out * in, i + 1) / sqrt(in),
/// its bias random_floats(out, 100 + i).
inline Graph mlp(const std::vector<std::int64_t>& sizes) {
  Graph graph;
  graph.name = "mlp";
  graph.opsets[""] = 13;
  ValueId x = graph.add_value(
      {.name = "x", .dtype = DType::f32, .dims = std::vector<Dim>{{-1, "N"}, {sizes[0], ""}}});
  graph.inputs.push_back(x);
  for (std::size_t i = 0; i + 1 < sizes.size(); ++i) {
    const std::int64_t in = sizes[i], out = sizes[i + 1];
    const std::string id = std::to_string(i);
    std::vector<float> w = random_floats(static_cast<std::size_t>(in * out), unsigned(i) + 1);
    for (float& v : w) v /= std::sqrt(static_cast<float>(in));
    const std::vector<float> b = random_floats(static_cast<std::size_t>(out), 100 + unsigned(i));
    const ValueId weight = graph.add_value({.name = "w" + id, .constant = tensor_of({out, in}, w)});
    const ValueId bias = graph.add_value({.name = "b" + id, .constant = tensor_of({out}, b)});
    const bool last = i + 2 == sizes.size();
    const ValueId h = graph.add_value(
        {.name = last ? "y" : "h" + id, .dims = std::vector<Dim>{{-1, "N"}, {out, ""}}});
    Node gemm;
    gemm.name = "fc" + id;
    gemm.op_type = "Gemm";
    gemm.opset = 13;
    gemm.inputs = {x, weight, bias};
    gemm.outputs = {h};
    gemm.attributes["transB"] = std::int64_t{1};
    graph.nodes.push_back(std::move(gemm));
    x = h;
    if (last) continue;
    const ValueId r = graph.add_value({.name = "r" + id});
    Node relu;
    relu.name = "relu" + id;
    relu.op_type = "Relu";
    relu.opset = 13;
    relu.inputs = {x};
    relu.outputs = {r};
    graph.nodes.push_back(std::move(relu));
    x = r;
  }
  graph.outputs.push_back(x);
  return graph;
}

/// Writes the graph as an ONNX file with everything inline.
inline void write_onnx(const Graph& graph, const std::string& path) {
  const Result<std::string> bytes = export_onnx(graph, [](ValueId) { return std::nullopt; });
  ASSERT_TRUE(bytes) << bytes.status().to_line();
  std::ofstream(path, std::ios::binary) << *bytes;
}

/// A file name of its own for each test, in a folder that goes when the program ends.
inline std::string temp_path(const std::string& name) {
  static const TempFolder folder;
  const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
  std::string file = std::string(info->test_suite_name()) + "_" + info->name() + "_" + name;
  for (char& c : file) {
    if (c == '/') c = '_';  // of parameterized tests
  }
  return (folder.path() / file).string();
}

}  // namespace pbatch::testing
