// ONNX's own node tests, for every operator in the table: one test per operator.
// Folders: the environment variable PBATCH_ONNX_NODE_TESTS (separated by ':'),
// else those of Debian's package libonnx-testdata. onnx_node_left_out.txt names
// the tests that are left out, and why; one that is listed must fail.
#include <gtest/gtest.h>
#include <onnx/onnx.pb.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "graph/passes.h"
#include "onnx/import.h"
#include "op/convert.h"
#include "run/find_op.h"

namespace pbatch {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSeveral = "Several";  // networks of more than one operator
constexpr const char* kDebianFolder = "/usr/lib/python3/dist-packages/onnx/backend/test/data";

std::set<std::string> known_operators() {
  std::set<std::string> names;
#define PBATCH_OP(domain, op_type, first_opset, factory) \
  if (std::string(domain).empty()) names.insert(op_type);
#include "op/ops.inc"
#undef PBATCH_OP
#define PBATCH_EXPANSION(domain, op_type, first_opset, function) \
  if (std::string(domain).empty()) names.insert(op_type);
#include "graph/expand/expansions.inc"
#undef PBATCH_EXPANSION
  return names;
}

std::vector<fs::path> folders() {
  std::vector<fs::path> result;
  if (const char* given = std::getenv("PBATCH_ONNX_NODE_TESTS")) {
    std::istringstream list(given);
    for (std::string folder; std::getline(list, folder, ':');) result.emplace_back(folder);
  } else {
    for (const char* name : {"node", "simple", "pytorch-converted", "pytorch-operator"}) {
      result.push_back(fs::path(kDebianFolder) / name);
    }
  }
  std::erase_if(result, [](const fs::path& folder) { return !fs::is_directory(folder); });
  return result;
}

std::string read_file(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

// The operator that a model tests; none if it has one that is not in the table.
std::optional<std::string> operator_of(const fs::path& folder) {
  static const std::set<std::string> known = known_operators();
  onnx::ModelProto model;
  if (!model.ParseFromString(read_file(folder / "model.onnx"))) return std::nullopt;
  std::set<std::string> used;
  for (const onnx::NodeProto& node : model.graph().node()) {
    const bool ours =
        (node.domain().empty() || node.domain() == "ai.onnx") && known.contains(node.op_type());
    if (!ours) return std::nullopt;
    used.insert(node.op_type());
  }
  if (used.size() == 1) return *used.begin();
  return used.empty() ? std::nullopt : std::optional<std::string>(kSeveral);
}

const std::map<std::string, std::vector<fs::path>>& tests_by_operator() {
  static const auto found = [] {
    std::map<std::string, std::vector<fs::path>> tests;
    for (const fs::path& folder : folders()) {
      for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
        if (const auto op = operator_of(entry.path())) tests[*op].push_back(entry.path());
      }
    }
    for (auto& [op, paths] : tests) std::sort(paths.begin(), paths.end());
    return tests;
  }();
  return found;
}

// Name of a test -> why it is left out.
std::map<std::string, std::string> left_out() {
  std::map<std::string, std::string> names;
  std::ifstream list("tests/op/onnx_node_left_out.txt");  // run in the source folder
  EXPECT_TRUE(list) << "onnx_node_left_out.txt is missing";
  for (std::string line; std::getline(list, line);) {
    if (line.empty() || line[0] == '#') continue;
    const std::size_t colon = line.find(": ");
    EXPECT_NE(colon, std::string::npos) << "no reason given: " << line;
    names[line.substr(0, colon)] = line.substr(colon + 2);
  }
  return names;
}

// Models of opsets before 7 pass for opset 7: most operators are the same there.
Result<Graph> import_model(const fs::path& path) {
  constexpr std::int64_t kFirstOpset = 7;
  onnx::ModelProto model;
  if (!model.ParseFromString(read_file(path))) return import_onnx(path.string());
  for (auto& import : *model.mutable_opset_import()) {
    if (import.domain().empty()) import.set_version(std::max(import.version(), kFirstOpset));
  }
  const std::string bytes = model.SerializeAsString();
  return import_onnx_bytes(bytes.data(), bytes.size(), path.string());
}

bool is_other_float(DType type) {
  return type == DType::f64 || type == DType::f16 || type == DType::bf16;
}

// ONNX 1.12 and earlier wrote bfloat16 test data as uint16.
void retag_bfloat16(const Graph& graph, const std::vector<ValueId>& ports,
                    std::vector<Tensor>& tensors) {
  for (std::size_t i = 0; i < std::min(ports.size(), tensors.size()); ++i) {
    const DType declared = graph.values[static_cast<std::size_t>(ports[i])].dtype;
    if (declared != DType::bf16 || tensors[i].dtype() != DType::u16) continue;
    const auto owner = std::make_shared<const Tensor>(tensors[i]);
    tensors[i] = Tensor::view(DType::bf16, owner->shape(), owner->raw(), owner);
  }
}

class Runner {
 public:
  // input_0.pb, input_1.pb ... or output_...
  Result<std::vector<Tensor>> read_tensors(const fs::path& folder, const std::string& kind) {
    std::vector<Tensor> tensors;
    for (int i = 0;; ++i) {
      const fs::path path = folder / (kind + "_" + std::to_string(i) + ".pb");
      if (!fs::exists(path)) return tensors;
      const std::string bytes = read_file(path);
      PBATCH_ASSIGN_OR_RETURN(Tensor tensor, import_tensor_proto(bytes.data(), bytes.size()));
      tensors.push_back(std::move(tensor));
    }
  }

  /// An operator that knows its inputs' types and the graph's constants alone says the types that
  /// come out, or that it does not know them yet.
  Status check_types(const Graph& graph, const Node& node, const Op& op,
                     std::span<const Tensor* const> in, std::span<const Tensor> out) {
    std::vector<Tensor> typed(in.size());
    std::vector<const Tensor*> known(in.begin(), in.end());
    for (std::size_t i = 0; i < in.size(); ++i) {
      if (in[i] == nullptr || graph.constant(node.inputs[i]) != nullptr) continue;
      typed[i] = Tensor::view(in[i]->dtype(), in[i]->shape(), nullptr, nullptr);
      known[i] = &typed[i];
    }
    PBATCH_ASSIGN_OR_RETURN(const StepPlan plan, op.plan({context_, known, out.size()}));
    if (!plan.is_planned()) return Status::ok();
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (node.outputs[i] == kNoValue) continue;
      if (plan.outputs[i] == TensorType{out[i].dtype(), out[i].shape()}) continue;
      return {ErrorCode::internal,
              node.op_type + " plans output " + std::to_string(i) + " as " +
                  shape_to_string(plan.outputs[i].shape) + ", but makes " +
                  shape_to_string(out[i].shape()),
              "mend the operator"};
    }
    return Status::ok();
  }

  /// Runs the graph as it stands: node by node, each operator built on the spot.
  Result<std::vector<Tensor>> run(const Graph& graph, const std::vector<Tensor>& inputs) {
    std::vector<std::optional<Tensor>> values(graph.values.size());
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = graph.values[i].constant;
    for (std::size_t i = 0; i < std::min(inputs.size(), graph.inputs.size()); ++i) {
      values[static_cast<std::size_t>(graph.inputs[i])] = inputs[i];
    }
    for (const Node& node : graph.nodes) {
      PBATCH_ASSIGN_OR_RETURN(const OpFactory factory, find_op(node));
      PBATCH_ASSIGN_OR_RETURN(const std::unique_ptr<Op> op, factory(graph, node));
      std::vector<const Tensor*> in;
      for (const ValueId id : node.inputs) {
        in.push_back(id == kNoValue ? nullptr : &*values[static_cast<std::size_t>(id)]);
      }
      std::vector<Tensor> out(node.outputs.size());
      PBATCH_RETURN_IF_ERROR(op->run(context_, in, out));
      PBATCH_RETURN_IF_ERROR(check_types(graph, node, *op, in, out));
      for (std::size_t i = 0; i < out.size(); ++i) {
        if (node.outputs[i] != kNoValue) {
          values[static_cast<std::size_t>(node.outputs[i])] = std::move(out[i]);
        }
      }
    }
    std::vector<Tensor> outputs;
    for (const ValueId id : graph.outputs) outputs.push_back(*values[static_cast<std::size_t>(id)]);
    return outputs;
  }

  /// What went wrong; empty if the outputs are as they should be.
  std::string run_data_set(const fs::path& model, const fs::path& data) {
    Result<Graph> graph = import_model(model);
    if (!graph) return graph.status().to_line();
    if (Status s = expand(*graph); !s) return s.to_line();
    Result<std::vector<Tensor>> inputs = read_tensors(data, "input");
    if (!inputs) return inputs.status().to_line();
    Result<std::vector<Tensor>> wanted = read_tensors(data, "output");
    if (!wanted) return wanted.status().to_line();
    retag_bfloat16(*graph, graph->inputs, *inputs);
    retag_bfloat16(*graph, graph->outputs, *wanted);
    Result<std::vector<Tensor>> got = run(*graph, *inputs);
    if (!got && got.status().code() == ErrorCode::unsupported) {
      // As a session runs it: in float32.
      Graph widened = *graph;
      if (Status s = widen_to_float32(widened); !s) return s.to_line();
      for (auto* tensors : {&*inputs, &*wanted}) {
        for (Tensor& t : *tensors) {
          if (is_other_float(t.dtype())) t = *convert(context_, t, DType::f32);
        }
      }
      got = run(widened, *inputs);
    }
    if (!got) return got.status().to_line();
    return compare(*got, *wanted);
  }

 private:
  std::string compare(const std::vector<Tensor>& got, const std::vector<Tensor>& wanted) const {
    if (got.size() < wanted.size()) return "too few outputs";
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      if (std::string problem = compare(got[i], wanted[i]); !problem.empty()) {
        return "output " + std::to_string(i) + ": " + problem;
      }
    }
    return {};
  }

  std::string compare(const Tensor& got, const Tensor& wanted) const {
    if (got.dtype() != wanted.dtype()) {
      return std::string(dtype_name(got.dtype())) + ", not " + dtype_name(wanted.dtype());
    }
    if (got.shape() != wanted.shape()) {
      return shape_to_string(got.shape()) + ", not " + shape_to_string(wanted.shape());
    }
    const bool exact = wanted.dtype() != DType::f32 && !is_other_float(wanted.dtype());
    if (exact) {
      const bool same = std::equal(static_cast<const char*>(got.raw()),
                                   static_cast<const char*>(got.raw()) + got.bytes(),
                                   static_cast<const char*>(wanted.raw()));
      return same ? "" : "wrong values";
    }
    const Tensor g = *convert(context_, got, DType::f64);
    const Tensor w = *convert(context_, wanted, DType::f64);
    // The tolerances of ONNX's own runner; one unit in the last place of bfloat16,
    // because ONNX truncated to it before it rounded.
    const double relative = wanted.dtype() == DType::bf16 ? 0x1p-7 : 1e-3;
    for (std::int64_t i = 0; i < w.size(); ++i) {
      if (!close(g.data<double>()[i], w.data<double>()[i], relative)) {
        return std::to_string(g.data<double>()[i]) + " at element " + std::to_string(i) + ", not " +
               std::to_string(w.data<double>()[i]);
      }
    }
    return {};
  }

  static bool close(double got, double wanted, double relative) {
    if (got == wanted || (std::isnan(got) && std::isnan(wanted))) return true;
    return std::isfinite(wanted) && std::fabs(got - wanted) <= 1e-5 + relative * std::fabs(wanted);
  }

  ThreadPool pool_{2};
  BufferPool buffers_;
  const Precision precision_ = Precision::f32();
  RunContext context_{pool_, buffers_, precision_, FloatBackend::openblas};
};

class OnnxNodeTest : public ::testing::TestWithParam<std::string> {};

TEST_P(OnnxNodeTest, EveryFolder) {
  if (folders().empty()) {
    GTEST_SKIP() << "no node tests; install the package libonnx-testdata";
  }
  const auto tests = tests_by_operator().find(GetParam());
  if (tests == tests_by_operator().end()) GTEST_SKIP() << "ONNX has no test of " << GetParam();
  const std::map<std::string, std::string> out = left_out();
  Runner runner;
  for (const fs::path& folder : tests->second) {
    std::string problem;
    int data_sets = 0;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
      if (!entry.is_directory() || !problem.empty()) continue;
      problem = runner.run_data_set(folder / "model.onnx", entry.path());
      ++data_sets;
    }
    EXPECT_GT(data_sets, 0) << folder;
    const bool listed = out.contains(folder.filename());
    if (listed && problem.empty()) {
      ADD_FAILURE() << folder << " passes; take it off onnx_node_left_out.txt";
    } else if (!listed && !problem.empty()) {
      ADD_FAILURE() << folder << ": " << problem;
    }
  }
}

std::vector<std::string> families() {
  std::vector<std::string> names{kSeveral};
  const std::set<std::string> known = known_operators();
  names.insert(names.end(), known.begin(), known.end());
  return names;
}

INSTANTIATE_TEST_SUITE_P(Operators, OnnxNodeTest, ::testing::ValuesIn(families()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace pbatch
