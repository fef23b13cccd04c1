// quantize, inspect, plan, run: one model from file to answer.
#include "tests/cli/program.h"
#include "tools/io/npy.h"

namespace pbatch::testing {
namespace {

class Model : public Program {
 protected:
  std::vector<float> x_ = random_floats(64, 7);

  std::string write_input() {
    const auto t = Tensor::from_floats({1, 64}, x_);
    return write("x.npy", *encode_npy(*t));
  }
  double error_of(const std::string& file) {
    const auto y = read_npy(file);
    EXPECT_TRUE(y) << y.status().to_line();
    const std::vector<double> right = naive_mlp(x_);
    EXPECT_EQ(y->shape(), (Shape{1, 10}));
    double difference = 0, norm = 0;
    for (std::size_t i = 0; i < right.size(); ++i) {
      difference += std::pow(y->data<float>()[i] - right[i], 2);
      norm += right[i] * right[i];
    }
    return std::sqrt(difference / norm);
  }
};

TEST_F(Model, QuantizeReportsEveryLayer) {
  write_network();
  const nlohmann::json j =
      run_json({"quantize", path("net.onnx"), "-o", path("q.onnx"), "--planes", "6"});
  EXPECT_TRUE(std::filesystem::exists(path("q.onnx")));
  EXPECT_TRUE(std::filesystem::exists(path("q.safetensors")));
  ASSERT_EQ(j["layers"].size(), 3U);
  int quantized = 0;
  for (const auto& layer : j["layers"]) {
    if (!layer["quantized"]) {
      EXPECT_NE(layer["reason"], "");
      continue;
    }
    ++quantized;
    EXPECT_EQ(layer["planes"], 6);
    ASSERT_EQ(layer["sqnr_db"].size(), 6U);
    // A mid-rise code of Gaussian weights gains about 6 dB a bit.
    EXPECT_NEAR(layer["sqnr_db"][5].get<double>() - layer["sqnr_db"][3].get<double>(), 12, 2);
    EXPECT_EQ(layer["float_bytes"], layer["rows"].get<int>() * layer["cols"].get<int>() * 4);
  }
  EXPECT_EQ(quantized, 2);
  for (const char* key : {"model_bytes", "data_bytes", "pbatch_version", "isa", "date", "cpu"}) {
    EXPECT_TRUE(j.contains(key)) << key;
  }
}

TEST_F(Model, InspectShowsPortsLayersAndSizes) {
  const nlohmann::json j = run_json({"inspect", write_model()});
  EXPECT_EQ(j["kind"], "bit-layers");
  EXPECT_EQ(j["inputs"][0]["name"], "x");
  EXPECT_EQ(j["inputs"][0]["dtype"], "float32");
  EXPECT_EQ(j["inputs"][0]["shape"], (std::vector<int>{-1, 64}));
  EXPECT_EQ(j["outputs"][0]["name"], "y");
  EXPECT_EQ(j["max_weight_bits"], 8);
  EXPECT_EQ(j["float_constant_bytes"], 4 * (128 + 96 + 96 * 10 + 10));  // biases, the last layer
  ASSERT_EQ(j["layers"].size(), 2U);
  const auto& layer = j["layers"][0];
  EXPECT_EQ(layer["name"], "fc0");
  EXPECT_EQ(layer["rows"], 128);
  EXPECT_EQ(layer["cols"], 64);
  EXPECT_EQ(layer["plane_bytes"], 128 * 64 / 8);
  EXPECT_EQ(layer["planes_available"], 8);
  ASSERT_EQ(layer["bytes_by_width"].size(), 8U);
  EXPECT_EQ(layer["bytes_by_width"][4].get<int>() - layer["bytes_by_width"][3].get<int>(), 1024);
  EXPECT_EQ(j["weight_bytes_by_width"].size(), 8U);
  const nlohmann::json f = run_json({"inspect", path("net.onnx")});
  EXPECT_EQ(f["kind"], "float");
  EXPECT_EQ(f["max_weight_bits"], 0);
  EXPECT_EQ(f["layers"].size(), 0U);
}

TEST_F(Model, PlanNamesAKernelForEveryLayer) {
  const std::string model = write_model();
  const nlohmann::json j = run_json({"plan", model, "--bits", "4,8", "--layer", "fc1=2"});
  int layers = 0;
  for (const auto& step : j["steps"]) {
    if (step["kernel"] == "float") continue;
    ++layers;
    EXPECT_EQ(step["weight_bits"], step["node"] == "fc1" ? 2 : 4);
    EXPECT_EQ(step["activation_bits"], step["node"] == "fc1" ? 16 : 8);
    EXPECT_GT(step["weight_bytes"], 0);
  }
  EXPECT_EQ(layers, 2);
  expect_failure(1, {"plan", model, "--bits", "4", "--layer", "fc9=2"}, "'fc0', 'fc1'");
  expect_failure(1, {"plan", model, "--bits", "9"}, "model.onnx");
}

TEST_F(Model, RunAnswersAtEveryPrecision) {
  const std::string model = write_model(), input = "x=" + write_input();
  run_json({"run", path("net.onnx"), "--input", input, "--output", "y=" + path("float.npy")});
  EXPECT_LT(error_of(path("float.npy")), 1e-5);
  const struct {
    const char* bits;
    double most;
  } cases[] = {{"8,16", 0.02}, {"8,8", 0.03}, {"4,16", 0.2}, {"32", 0.02}};
  for (const auto& c : cases) {
    const nlohmann::json j = run_json(
        {"run", model, "--bits", c.bits, "--input", input, "--output", "y=" + path("y.npy")});
    EXPECT_LT(error_of(path("y.npy")), c.most) << c.bits;
    EXPECT_GT(error_of(path("y.npy")), 1e-6) << c.bits;
    EXPECT_EQ(j["outputs"][0]["name"], "y");
    EXPECT_EQ(j["outputs"][0]["shape"], (std::vector<int>{1, 10}));
  }
  const nlohmann::json widest = run_json({"run", model, "--input", path("x.npy")});
  EXPECT_EQ(widest["weight_bits"], 8);
}

TEST_F(Model, RunProfilesEveryStep) {
  const std::string model = write_model(), x = write_input();
  const nlohmann::json j = run_json({"run", model, "--bits", "4,8", "--input", "x=" + x,
                                     "--profile", "--runs", "3", "--trace", path("t.json")});
  ASSERT_EQ(j["steps"].size(), 3U);
  EXPECT_EQ(j["steps"][0]["node"], "fc0");
  EXPECT_EQ(j["steps"][0]["op_type"], "BitLinear");
  EXPECT_EQ(j["steps"][2]["kernel"], "float");
  for (const auto& step : j["steps"]) EXPECT_GT(step["us"], 0);
  EXPECT_GT(j["steps"][0]["product_us"], 0);
  EXPECT_EQ(j["steps"][2]["product_us"], 0);
  const auto trace = nlohmann::json::parse(read(path("t.json")));
  ASSERT_EQ(trace["traceEvents"].size(), 3U);
  EXPECT_EQ(trace["traceEvents"][1]["ts"], trace["traceEvents"][0]["dur"]);
  const Outcome table = run({"run", model, "--input", "x=" + x, "--profile"});
  EXPECT_EQ(table.code, 0);
  EXPECT_NE(table.out.find("all 3 steps"), std::string::npos) << table.out;
  EXPECT_EQ(run({"run", model, "--input", "x=" + x, "--trace", path("t.json")}).code, 2);
  EXPECT_EQ(run({"run", model, "--input", "x=" + x, "--profile", "--runs", "0"}).code, 2);
}

TEST_F(Model, RunConvertsInputsWhereNothingIsLost) {
  const std::string net = write_network();
  std::vector<double> wide(x_.begin(), x_.end());
  Result<Tensor> t = Tensor::create(DType::f64, {1, 64});
  std::copy(wide.begin(), wide.end(), t->mutable_data<double>());
  write("x.npy", *encode_npy(*t));
  run_json({"run", net, "--input", "x=" + path("x.npy"), "--output", path("y.npy")});
  EXPECT_LT(error_of(path("y.npy")), 1e-5);
}

TEST_F(Model, RunRefusesWhatDoesNotFit) {
  const std::string net = write_network(), input = "x=" + write_input();
  expect_failure(1, {"run", net}, "'x'");
  expect_failure(1, {"run", net, "--input", "z=" + path("x.npy")}, "'x' (float32 [N, 64])");
  expect_failure(1, {"run", net, "--input", input, "--output", "z=" + path("z.npy")}, "'y'");
  expect_failure(1, {"run", net, "--input", "x=" + path("absent.npy")}, "absent.npy");
  expect_failure(1, {"run", net, "--input", input, "--bits", "4"}, "float");
  const auto flat = Tensor::from_floats({64}, x_);
  write("flat.npy", *encode_npy(*flat));
  expect_failure(1,
                 {"run", net, "--input", "x=" + path("flat.npy"), "--output", "y=" + path("y.npy")},
                 "[64]");
  std::vector<float> bad = x_;
  bad[3] = NAN;
  write("nan.npy", *encode_npy(*Tensor::from_floats({1, 64}, bad)));
  const std::string model = write_model();
  expect_failure(1,
                 {"run", model, "--bits", "4", "--input", "x=" + path("nan.npy"), "--output",
                  "y=" + path("y.npy")},
                 "model.onnx");
}

}  // namespace
}  // namespace pbatch::testing
