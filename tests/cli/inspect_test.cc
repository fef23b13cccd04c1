// Networks that run and networks that do not, described; and outputs compared one by one.
#include "tests/cli/program.h"
#include "tools/io/npy.h"

namespace pbatch::testing {
namespace {

class Inspect : public Program {
 protected:
  ValueId add(const std::string& name, std::vector<Dim> dims, DType type = DType::f32) {
    return graph_.add_value({.name = name, .dtype = type, .dims = std::move(dims)});
  }
  ValueId constant(const std::string& name, const Tensor& tensor) {
    return graph_.add_value({.name = name, .dtype = tensor.dtype(), .constant = tensor});
  }
  void node(const std::string& op, std::vector<ValueId> inputs, ValueId output,
            const std::string& domain = "") {
    Node made;
    made.name = op + std::to_string(graph_.nodes.size());
    made.op_type = op;
    made.domain = domain;
    made.opset = domain.empty() ? 13 : 1;
    made.inputs = std::move(inputs);
    made.outputs = {output};
    graph_.opsets[domain] = made.opset;
    graph_.nodes.push_back(std::move(made));
  }
  std::string write_graph(const std::string& name) {
    write_onnx(graph_, path(name));
    return path(name);
  }
  // x [batch, 64] -> h = x w, w [64, 80].
  ValueId start() {
    const ValueId x = add("x", {{-1, "batch"}, {64, ""}});
    graph_.inputs = {x};
    const ValueId h = add("h", {{-1, "batch"}, {80, ""}});
    node("MatMul", {x, constant("w", tensor_of({64, 80}, random_floats(64 * 80, 1)))}, h);
    return h;
  }
  Graph graph_;
};

TEST_F(Inspect, DescribesAFloatNetwork) {
  const ValueId h = start();
  const ValueId y = add("y", {{-1, "batch"}, {80, ""}});
  node("Relu", {h}, y);
  graph_.outputs = {y};
  const nlohmann::json j = run_json({"inspect", write_graph("net.onnx")});
  EXPECT_EQ(j["kind"], "float");
  EXPECT_EQ(j["runs"], true);
  EXPECT_EQ(j["opsets"]["ai.onnx"], 13);
  EXPECT_EQ(j["inputs"][0]["dim_names"], (std::vector<std::string>{"batch", ""}));
  ASSERT_EQ(j["operators"].size(), 2U);
  EXPECT_EQ(j["operators"][0]["op_type"], "MatMul");
  EXPECT_EQ(j["operators"][0]["count"], 1);
  EXPECT_EQ(j["operators"][0]["runs"], true);
  ASSERT_EQ(j["candidates"].size(), 1U);
  EXPECT_EQ(j["candidates"][0]["fits"], true);
  EXPECT_EQ(j["candidates"][0]["rows"], 80);
  EXPECT_GE(j["float_constant_bytes"], 64 * 80 * 4);
  const Outcome o = run({"inspect", path("net.onnx")});
  EXPECT_NE(o.out.find("[batch, 64]"), std::string::npos) << o.out;
}

TEST_F(Inspect, UnknownOperatorsAreAllNamedAndStopNothing) {
  const ValueId h = start();
  const ValueId a = add("a", {}), b = add("b", {}), y = add("y", {{-1, ""}, {80, ""}});
  node("Abracadabra", {h}, a);
  node("Hocuspocus", {a}, b, "acme");
  node("Abracadabra", {b}, y);
  graph_.outputs = {y};
  const nlohmann::json j = run_json({"inspect", write_graph("odd.onnx")});
  EXPECT_EQ(j["runs"], false);
  EXPECT_EQ(j["candidates"].size(), 1U);
  std::map<std::string, bool> runs;
  for (const auto& op : j["operators"]) runs[op["op_type"]] = op["runs"];
  EXPECT_EQ(runs, (std::map<std::string, bool>{
                      {"MatMul", true}, {"Abracadabra", false}, {"Hocuspocus", false}}));
  const std::string problem = j["problem"];
  EXPECT_NE(problem.find("Abracadabra"), std::string::npos) << problem;
  EXPECT_NE(problem.find("Hocuspocus"), std::string::npos) << problem;
  expect_failure(1, {"run", path("odd.onnx")}, "Hocuspocus");
}

TEST_F(Inspect, TheAdviceFitsANetworkThatOthersQuantized) {
  const ValueId h = start();
  const ValueId y = add("y", {{-1, ""}, {80, ""}});
  node("QLinearMystery", {h}, y);
  graph_.nodes.back().op_type = "QLinearConv";
  graph_.outputs = {y};
  const nlohmann::json j = run_json({"inspect", write_graph("int8.onnx")});
  EXPECT_NE(j["advice"].get<std::string>().find("float original"), std::string::npos);
}

// z [n] passes through; the classes and the scores come from the layer.
TEST_F(Inspect, CompareShowsEachOutputOnItsOwn) {
  const ValueId h = start();
  const ValueId z = add("z", {{-1, "n"}}, DType::i64);
  graph_.inputs.push_back(z);
  const ValueId same = add("same", {{-1, "n"}}, DType::i64);
  node("Identity", {z}, same);
  graph_.outputs = {same, h};
  const std::string net = write_graph("two.onnx");
  const nlohmann::json j = run_json({"compare", net, "--bits", "1", "--seconds", "0"});
  const auto& row = j["results"][1];
  EXPECT_EQ(row["output"], "h");
  ASSERT_EQ(row["outputs"].size(), 2U);
  EXPECT_EQ(row["outputs"][0]["name"], "same");
  EXPECT_EQ(row["outputs"][0]["differing"], 0);
  EXPECT_EQ(row["outputs"][0]["rel_error"], 0);
  EXPECT_GT(row["outputs"][1]["rel_error"], 0.2);
  EXPECT_EQ(row["rel_error"], row["outputs"][1]["rel_error"]);
}

// A Reshape to [-1, 16, 80] takes multiples of 16 rows only.
TEST_F(Inspect, CompareFindsSizesThatRunOrNamesTheOption) {
  const ValueId h = start();
  Tensor shape = *Tensor::create(DType::i64, {3});
  shape.mutable_data<std::int64_t>()[0] = -1;
  shape.mutable_data<std::int64_t>()[1] = 16;
  shape.mutable_data<std::int64_t>()[2] = 80;
  const ValueId y = add("y", {{-1, ""}, {16, ""}, {80, ""}});
  node("Reshape", {h, constant("shape", shape)}, y);
  graph_.outputs = {y};
  const nlohmann::json j =
      run_json({"compare", write_graph("net.onnx"), "--bits", "4", "--seconds", "0"});
  EXPECT_NE(j["inputs"].get<std::string>().find("batch=16"), std::string::npos) << j["inputs"];

  graph_.values[static_cast<std::size_t>(graph_.nodes[1].inputs[1])]
      .constant->mutable_data<std::int64_t>()[1] = 1013;  // no size that anyone would try
  expect_failure(1, {"compare", write_graph("odd.onnx"), "--bits", "4"}, "--shape x=");
}

TEST_F(Inspect, NamesOfPortsMayHoldEqualsSigns) {
  const ValueId x = add("x=0", {{-1, ""}, {64, ""}}), y = add("y=1=2", {{-1, ""}, {80, ""}});
  graph_.inputs = {x};
  graph_.outputs = {y};
  node("MatMul", {x, constant("w", tensor_of({64, 80}, random_floats(64 * 80, 1)))}, y);
  const std::string net = write_graph("net.onnx");
  write("in=put.npy", *encode_npy(tensor_of({1, 64}, random_floats(64, 2))));
  run_json(
      {"run", net, "--input", "x=0=" + path("in=put.npy"), "--output", "y=1=2=" + path("y.npy")});
  const auto made = read_npy(path("y.npy"));
  ASSERT_TRUE(made) << made.status().to_line();
  EXPECT_EQ(made->shape(), (Shape{1, 80}));
  expect_failure(1, {"run", net, "--input", "z=" + path("in=put.npy")}, "'x=0'");
}

TEST_F(Inspect, NoOutputIsAFileThatIsRead) {
  const std::string model = write_model(), net = path("net.onnx");
  write("x.npy", *encode_npy(tensor_of({1, 64}, random_floats(64, 2))));
  const std::string x = path("x.npy");
  std::filesystem::create_symlink("model.safetensors", path("link"));
  const std::string data = read(path("model.safetensors"));
  const std::string why = "is read";
  expect_failure(1, {"run", model, "--input", x, "--output", path("model.safetensors")}, why);
  expect_failure(1, {"run", model, "--input", x, "--output", path("link")}, why);
  expect_failure(1, {"run", model, "--input", x, "--output", x}, why);
  expect_failure(1, {"run", model, "--input", x, "--json", x}, why);
  expect_failure(1, {"inspect", model, "--json", path("link")}, why);
  expect_failure(1, {"inspect", net, "--json", net}, why);
  expect_failure(1, {"plan", model, "--bits", "4", "--json", path("link")}, why);
  expect_failure(1, {"compare", model, "--input", x, "--json", x}, why);
  expect_failure(1, {"compare", model, "--json", net}, why);  // the float side
  expect_failure(1, {"sweep", model, "-o", path("link")}, why);
  expect_failure(1, {"quantize", net, "-o", path("q.onnx"), "--json", net}, why);
  expect_failure(1, {"run", model, "--input", x, "--output", path("y"), "--json", path("y")},
                 "two outputs");
  EXPECT_EQ(read(path("model.safetensors")), data);
}

}  // namespace
}  // namespace pbatch::testing
