// Small networks whose answers ONNX Runtime gave, loaded and run as a session runs them.
//
// beside_onnxruntime.txt holds an item a line: "case NAME", "tolerance T", "opset N", tensors as
// "constant|input|output NAME TYPE DIMS VALUES..." ("-" for no dimensions), and "node DOMAIN
// OPERATOR INPUTS OUTPUTS ATTRIBUTES..." ("-" for ONNX's own domain), attributes as
// NAME=KIND:VALUE.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "onnx/export.h"
#include "pbatch/quantize.h"
#include "pbatch/session.h"
#include "tests/support/networks.h"
#include "tests/support/one_op.h"

namespace pbatch::testing {
namespace {

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == at) {
      parts.emplace_back();
    } else {
      parts.back().push_back(c);
    }
  }
  return parts;
}

template <class T>
Tensor numbers(DType type, Shape shape, std::istringstream& words) {
  std::vector<T> values;
  for (double v = 0; words >> v;) values.push_back(static_cast<T>(v));
  return make_tensor<T>(type, std::move(shape), values);
}

Tensor read_tensor(const std::string& type, const std::string& dims, std::istringstream& words) {
  Shape shape;
  if (dims != "-") {
    for (const std::string& d : split(dims, ',')) shape.push_back(std::stoll(d));
  }
  if (type == "float32") return numbers<float>(DType::f32, shape, words);
  if (type == "int64") return numbers<std::int64_t>(DType::i64, shape, words);
  if (type == "int32") return numbers<std::int32_t>(DType::i32, shape, words);
  if (type == "uint8") return numbers<std::uint8_t>(DType::u8, shape, words);
  if (type == "int8") return numbers<std::int8_t>(DType::i8, shape, words);
  if (type == "bool") return numbers<std::uint8_t>(DType::boolean, shape, words);
  ADD_FAILURE() << "type " << type;
  return {};
}

Attribute read_attribute(const std::string& kind, const std::string& value) {
  if (kind == "s") return value;
  if (kind == "i") return std::int64_t{std::stoll(value)};
  if (kind == "f") return std::stof(value);
  std::vector<float> floats;
  for (const std::string& v : split(value, ',')) floats.push_back(std::stof(v));
  if (kind == "fs") return floats;
  return std::vector<std::int64_t>(floats.begin(), floats.end());
}

struct Case {
  std::string name;
  double tolerance = 0;
  int opset = 0;
  Graph graph;
  std::map<std::string, ValueId> ids;
  std::vector<NamedTensor> inputs;
  std::vector<Tensor> outputs;

  ValueId value(const std::string& of) {
    if (of.empty()) return kNoValue;
    const auto [it, added] = ids.try_emplace(of, kNoValue);
    if (added) it->second = graph.add_value({.name = of});
    return it->second;
  }

  void read_line(const std::string& what, std::istringstream& words) {
    std::string of, type, dims;
    if (what == "tolerance") {
      words >> tolerance;
    } else if (what == "opset") {
      words >> opset;
      graph.opsets = {{"", opset}, {"com.microsoft", 1}};
    } else if (what == "node") {
      read_node(words);
    } else {
      words >> of >> type >> dims;
      Tensor tensor = read_tensor(type, dims, words);
      const ValueId id = value(of);
      Value& made = graph.values[static_cast<std::size_t>(id)];
      made.dtype = tensor.dtype();
      if (what == "constant") made.constant = tensor;
      if (what == "input") {
        made.dims.emplace(tensor.rank());  // all free
        graph.inputs.push_back(id);
        inputs.push_back({of, tensor});
      }
      if (what == "output") {
        graph.outputs.push_back(id);
        outputs.push_back(tensor);
      }
    }
  }

  void read_node(std::istringstream& words) {
    Node node;
    std::string domain, in, out;
    words >> domain >> node.op_type >> in >> out;
    node.name = "n" + std::to_string(graph.nodes.size());
    node.domain = domain == "-" ? "" : domain;
    node.opset = node.domain.empty() ? opset : 1;
    for (const std::string& i : split(in, ',')) node.inputs.push_back(value(i));
    for (const std::string& o : split(out, ',')) node.outputs.push_back(value(o));
    for (std::string a; words >> a;) {
      const std::size_t equals = a.find('='), colon = a.find(':');
      node.attributes[a.substr(0, equals)] =
          read_attribute(a.substr(equals + 1, colon - equals - 1), a.substr(colon + 1));
    }
    graph.nodes.push_back(std::move(node));
  }
};

std::vector<Case> read_cases() {
  std::vector<Case> cases;
  std::ifstream file("tests/op/beside_onnxruntime.txt");  // run in the source folder
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string what;
    if (!(words >> what) || what == "#") continue;
    if (what == "case") {
      cases.emplace_back().name = line.substr(5);
    } else {
      cases.back().read_line(what, words);
    }
  }
  return cases;
}

double distance(const Tensor& got, const Tensor& want) {
  if (want.dtype() != DType::f32) {
    return std::memcmp(got.raw(), want.raw(), want.bytes()) == 0 ? 0 : INFINITY;
  }
  double error = 0, norm = 0;
  for (std::int64_t i = 0; i < want.size(); ++i) {
    const double a = got.data<float>()[i], b = want.data<float>()[i];
    error += (a - b) * (a - b);
    norm += b * b;
  }
  return std::sqrt(error / std::max(norm, 1e-12));
}

std::string write(const Case& c) {
  const Result<std::string> bytes =
      export_onnx(c.graph, [](ValueId) { return std::optional<ExternalPlace>(); });
  EXPECT_TRUE(bytes) << bytes.status().to_line();
  const std::string path = temp_path("case.onnx");
  std::ofstream(path, std::ios::binary) << (bytes ? *bytes : "");
  return path;
}

void expect_same(const Case& c, const std::vector<Tensor>& made) {
  ASSERT_EQ(made.size(), c.outputs.size());
  for (std::size_t i = 0; i < made.size(); ++i) {
    ASSERT_EQ(made[i].dtype(), c.outputs[i].dtype());
    ASSERT_EQ(made[i].shape(), c.outputs[i].shape());
    EXPECT_LE(distance(made[i], c.outputs[i]), c.tolerance) << "output " << i;
  }
}

TEST(BesideOnnxRuntime, GivesTheSameAnswers) {
  const std::vector<Case> cases = read_cases();
  ASSERT_GT(cases.size(), 100U);
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const Result<Session> session = Session::load(write(c));
    ASSERT_TRUE(session) << session.status().to_line();
    const auto made = session->run(c.inputs, Precision::f32());
    ASSERT_TRUE(made) << made.status().to_line();
    expect_same(c, *made);
  }
}

// Name of a case -> bit-layers in it.
const std::map<std::string, std::size_t> kLayers = {{"Einsum bsd,dhk->bshk of a constant", 1},
                                                    {"FusedConv Relu", 1},
                                                    {"FusedGemm Relu", 1},
                                                    {"MatMulNBits 4", 1},
                                                    {"DynamicQuantizeMatMul", 1},
                                                    {"MatMulInteger, Cast, Mul", 1},
                                                    {"MatMulIntegerToFloat", 1},
                                                    {"DynamicQuantizeLSTM", 2},
                                                    {"QAttention", 1},
                                                    {"QLinearConv", 1},
                                                    {"ConvInteger, Cast, Mul, Add", 1},
                                                    {"Attention mask none causal 0", 1}};

TEST(BesideOnnxRuntime, MatricesInsideBecomeBitLayers) {
  std::size_t found = 0;
  for (const Case& c : read_cases()) {
    const auto wanted = kLayers.find(c.name);
    if (wanted == kLayers.end()) continue;
    SCOPED_TRACE(c.name);
    ++found;
    QuantizeOptions all;
    all.min_elements = 1;
    const Result<Session> session = Session::quantize_in_memory(write(c), all);
    ASSERT_TRUE(session) << session.status().to_line();
    EXPECT_EQ(session->layers().size(), wanted->second);
    const auto made = session->run(c.inputs, Precision::bits(8));
    ASSERT_TRUE(made) << made.status().to_line();
  }
  EXPECT_EQ(found, kLayers.size());
}

}  // namespace
}  // namespace pbatch::testing
