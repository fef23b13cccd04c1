// eval, compare, sweep, bench: what they measure and what their JSON holds.
#include <set>

#include "tests/cli/program.h"
#include "tools/io/npy.h"

namespace pbatch::testing {
namespace {

constexpr std::int64_t kItems = 40;

class Measure : public Program {
 protected:
  // Random items, and the float network's own answers as labels: float is 100 % right.
  void write_data() {
    const std::vector<float> x = random_floats(kItems * 64, 11);
    write("x.npy", *encode_npy(*Tensor::from_floats({kItems, 64}, x)));
    Result<Tensor> labels = Tensor::create(DType::i64, {kItems});
    for (std::int64_t i = 0; i < kItems; ++i) {
      const auto y = naive_mlp({x.begin() + i * 64, x.begin() + (i + 1) * 64});
      labels->mutable_data<std::int64_t>()[i] = std::max_element(y.begin(), y.end()) - y.begin();
    }
    write("y.npy", *encode_npy(*labels));
    labels_ = *labels;
  }
  std::vector<std::string> with_data(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(),
                     {"--data", path("x.npy"), "--labels", path("y.npy"), "--seconds", "0"});
    return arguments;
  }
  static void expect_keys(const nlohmann::json& rows, const std::set<std::string>& keys) {
    for (const auto& row : rows) {
      std::set<std::string> found;
      for (const auto& item : row.items()) found.insert(item.key());
      EXPECT_EQ(found, keys);
    }
  }

  Tensor labels_;
};

TEST_F(Measure, EvalOfACascade) {
  write_data();
  const std::vector<float> other = random_floats(600 * 64, 12);
  write("other.npy", *encode_npy(*Tensor::from_floats({600, 64}, other)));
  const std::string model = write_model();
  const std::vector<std::string> words{"eval",          model,
                                       "--bits",        "8",
                                       "--cascade",     "2,8",
                                       "--agreement",   "95%",
                                       "--confidence",  "90%",
                                       "--margin",      "top-two",
                                       "--calibration", path("other.npy")};
  const nlohmann::json cascade = run_json(with_data(words))["cascade"];
  ASSERT_EQ(cascade["stages"].size(), 2U) << cascade;
  EXPECT_EQ(cascade["items"], kItems);
  EXPECT_EQ(cascade["calibration_items"], 600);
  EXPECT_GE(cascade["agreement_bound"], 0.95);
  EXPECT_GE(cascade["calibration_agreement"], cascade["agreement_bound"]);
  EXPECT_GE(cascade["agreement"], 0.85);
  EXPECT_GT(cascade["mean_us"], 0);
  const auto& stages = cascade["stages"];
  EXPECT_EQ(stages[0]["items"], cascade["timed_items"]);
  EXPECT_EQ(stages[1]["items"].get<int>(),
            stages[0]["items"].get<int>() - stages[0]["answered"].get<int>());
  EXPECT_EQ(stages[1]["answered"], stages[1]["items"]);
  const Outcome shown = run(with_data(words));
  EXPECT_NE(shown.out.find("of the last stage alone"), std::string::npos) << shown.out;

  auto changed = [&](const std::string& option, const std::string& value) {
    auto other_words = with_data(words);
    *(std::find(other_words.begin(), other_words.end(), option) + 1) = value;
    return other_words;
  };
  expect_failure(1, changed("--agreement", "99.99%"), "too few");
  expect_failure(2, changed("--margin", "band"), "--margin");
  expect_failure(2, changed("--cascade", "2"), "--cascade");
}

TEST_F(Measure, EvalOfAModel) {
  write_data();
  const std::string model = write_model();
  const nlohmann::json j = run_json(with_data({"eval", model, "--bits", "1,8", "--abits", "8,16"}));
  const auto& rows = j["results"];
  ASSERT_EQ(rows.size(), 5U);
  expect_keys(rows, {"weight_bits", "activation_bits", "metric", "value", "latency_us",
                     "speedup_vs_f32", "weight_bytes"});
  EXPECT_EQ(rows[0]["weight_bits"], 32);
  EXPECT_EQ(rows[0]["value"], 1.0);
  EXPECT_EQ(rows[0]["speedup_vs_f32"], 1.0);
  EXPECT_GE(rows[4]["value"], 0.95);
  EXPECT_LT(rows[1]["value"], rows[4]["value"]);
  EXPECT_LT(rows[1]["weight_bytes"], rows[3]["weight_bytes"]);
  EXPECT_EQ(rows[0]["metric"], "accuracy");
  EXPECT_EQ(j["items"], kItems);
  for (const auto& row : rows) EXPECT_GT(row["latency_us"], 0);
}

TEST_F(Measure, EvalOfAFloatNetworkQuantizesInMemory) {
  write_data();
  const std::string net = write_network();
  const nlohmann::json j = run_json(with_data({"eval", net, "--limit", "10"}));
  ASSERT_EQ(j["results"].size(), 9U);
  EXPECT_EQ(j["float_source"], net);
  EXPECT_EQ(j["items"], 10);
  EXPECT_EQ(j["results"][0]["value"], 1.0);
  for (int n = 1; n <= 8; ++n) EXPECT_EQ(j["results"][n]["weight_bits"], n);
}

TEST_F(Measure, EvalKnowsItsFloatSide) {
  write_data();
  const std::string model = write_model();
  const nlohmann::json named =
      run_json(with_data({"eval", model, "--bits", "4", "--float", path("net.onnx")}));
  EXPECT_EQ(named["float_source"], path("net.onnx"));
  std::filesystem::rename(path("net.onnx"), path("elsewhere.onnx"));
  const nlohmann::json alone = run_json(with_data({"eval", model, "--bits", "4"}));
  EXPECT_EQ(alone["float_source"], "dequantized");
  expect_failure(1, with_data({"eval", model, "--float", model}), "not a float network");
}

TEST_F(Measure, EvalSetsInt8Beside) {
  write_data();
  const nlohmann::json j = run_json(with_data({"eval", write_network(), "--bits", "4", "--int8"}));
  ASSERT_EQ(j["results"].size(), 3U);
  EXPECT_EQ(j["results"][2]["baseline"], "onednn_int8");
  EXPECT_EQ(j["results"][2]["weight_bits"], 8);
  EXPECT_GE(j["results"][2]["value"], 0.9);
  EXPECT_FALSE(j["results"][1].contains("baseline"));
}

TEST_F(Measure, EvalDoesNotDependOnTheBatch) {
  write_data();
  const std::string model = write_model();
  const nlohmann::json one = run_json(with_data({"eval", model, "--bits", "1:3", "--batch", "1"}));
  const nlohmann::json many =
      run_json(with_data({"eval", model, "--bits", "1:3", "--batch", "16"}));
  EXPECT_EQ(one["batch"], 1);
  EXPECT_EQ(many["batch"], 16);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(one["results"][i]["value"], many["results"][i]["value"]);
  }
}

TEST_F(Measure, EvalFeedsPixelsToANetworkOfFixedBatch) {
  // Two 8 x 8 images; the network's input is [1, 64].
  Graph graph = mlp({64, 128, 96, 10});
  for (const ValueId id : {graph.inputs[0], graph.outputs[0]}) {
    (*graph.values[static_cast<std::size_t>(id)].dims)[0] = {1, ""};
  }
  write_onnx(graph, path("fixed.onnx"));
  std::string images("\0\0\x08\3\0\0\0\2\0\0\0\x08\0\0\0\x08", 16);
  std::string labels("\0\0\x08\1\0\0\0\2", 8);
  for (int i = 0; i < 2; ++i) {
    std::vector<float> x;
    for (int p = 0; p < 64; ++p) {
      const int pixel = (p * 37 + i * 101) % 256;
      images += static_cast<char>(pixel);
      x.push_back(static_cast<float>(pixel) / 255.0F);
    }
    const auto y = naive_mlp(x);
    labels += static_cast<char>(std::max_element(y.begin(), y.end()) - y.begin());
  }
  write_gz("images.gz", images);
  write("labels", labels);
  const nlohmann::json j = run_json({"eval", path("fixed.onnx"), "--data", path("images.gz"),
                                     "--labels", path("labels"), "--seconds", "0", "--bits", "8"});
  EXPECT_EQ(j["results"][0]["value"], 1.0);
  EXPECT_EQ(j["batch"], 1);
}

TEST_F(Measure, EvalMeasuresFloatTargets) {
  write_data();
  const std::string net = write_network();
  std::vector<float> targets(kItems * 10, 0.0F);
  write("y.npy", *encode_npy(*Tensor::from_floats({kItems, 10}, targets)));
  const nlohmann::json j = run_json(with_data({"eval", net, "--bits", "8"}));
  EXPECT_EQ(j["results"][0]["metric"], "mse");
  const std::vector<float> x = random_floats(kItems * 64, 11);
  double sum = 0;
  for (std::int64_t i = 0; i < kItems; ++i) {
    for (const double v : naive_mlp({x.begin() + i * 64, x.begin() + (i + 1) * 64})) sum += v * v;
  }
  EXPECT_NEAR(j["results"][0]["value"].get<double>(), sum / (kItems * 10), 1e-4);
}

TEST_F(Measure, EvalRefusesDataThatDoesNotFit) {
  write_data();
  const std::string net = write_network();
  const auto eval_with = [&](const Tensor& data, const Tensor& labels) {
    write("bad_x.npy", *encode_npy(data));
    write("bad_y.npy", *encode_npy(labels));
    return std::vector<std::string>{
        "eval",          net, "--data", path("bad_x.npy"), "--labels", path("bad_y.npy"), "--json",
        path("out.json")};
  };
  const auto zeros = [](Shape shape) {
    std::int64_t n = 1;
    for (const auto d : shape) n *= d;
    return *Tensor::from_floats(shape, std::vector<float>(static_cast<std::size_t>(n)));
  };
  expect_failure(1, eval_with(zeros({39, 64}), labels_), "39 items");
  write("bad_x.npy", "");
  expect_failure(1, eval_with(zeros({kItems, 63}), labels_), "[63]");
  Result<Tensor> wrong = Tensor::create(DType::i64, {kItems});
  std::fill_n(wrong->mutable_data<std::int64_t>(), kItems, 10);
  expect_failure(1, eval_with(zeros({kItems, 64}), *wrong), "label 10 of item 0");
  expect_failure(1, eval_with(zeros({0, 64}), zeros({0})), "no items");
  expect_failure(1, with_data({"eval", write_model(), "--bits", "9"}), "model.onnx");
  expect_failure(1, with_data({"eval", path("model.onnx"), "--group", "32"}), "--group");
}

TEST_F(Measure, CompareShowsErrorsThatShrink) {
  const std::string model = write_model();
  const nlohmann::json j = run_json({"compare", model, "--seconds", "0"});
  const auto& rows = j["results"];
  ASSERT_EQ(rows.size(), 9U);
  expect_keys(rows, {"weight_bits", "activation_bits", "rel_error", "cosine", "max_abs_error",
                     "mean_abs_error", "latency_us", "speedup_vs_f32", "weight_bytes", "output",
                     "outputs"});
  EXPECT_EQ(rows[0]["rel_error"], 0);
  for (int n = 2; n <= 8; ++n) EXPECT_LT(rows[n]["rel_error"], rows[n - 1]["rel_error"]);
  EXPECT_LT(rows[8]["rel_error"], 0.03);
  EXPECT_GT(rows[8]["rel_error"], 0);
  EXPECT_GT(rows[8]["cosine"], 0.999);
  EXPECT_NE(j["inputs"].get<std::string>().find("random"), std::string::npos);
}

TEST_F(Measure, CompareTakesShapesSeedsAndOverrides) {
  const std::string net = write_network();
  const auto run_one = [&](std::vector<std::string> extra) {
    std::vector<std::string> arguments{"compare", net, "--bits", "4", "--seconds", "0"};
    arguments.insert(arguments.end(), extra.begin(), extra.end());
    return run_json(arguments)["results"][1]["rel_error"].get<double>();
  };
  // The float side may come from either float library, whose roundings differ.
  const double third = run_one({"--random", "3"});
  EXPECT_NEAR(run_one({"--random", "3"}), third, 1e-5);
  EXPECT_GT(std::fabs(run_one({"--random", "4"}) - third), 1e-4);
  EXPECT_NE(run_one({}), run_one({"--shape", "x=5x64"}));
  EXPECT_GT(run_one({"--layer", "fc0=1"}), run_one({}));
  expect_failure(1, {"compare", net, "--shape", "x=1x63"}, "'x'");
  expect_failure(1, {"compare", net, "--shape", "z=1x64"}, "'x'");
  expect_failure(1, {"compare", net, "--min-elements", "1000000"}, "nothing");
}

TEST_F(Measure, SweepWritesOnePage) {
  write_data();
  const std::string model = write_model();
  const nlohmann::json j =
      run_json(with_data({"sweep", model, "--bits", "2,4", "-o", path("page.html")}));
  ASSERT_EQ(j["results"].size(), 3U);
  EXPECT_EQ(j["layer_widths"], (std::vector<int>{2, 4}));
  ASSERT_EQ(j["layers"].size(), 2U);
  EXPECT_EQ(j["layers"][0]["name"], "fc0");
  EXPECT_GT(j["layers"][0]["rel_error"][0], j["layers"][0]["rel_error"][1]);
  const std::string page = read(path("page.html"));
  EXPECT_NE(page.find("<svg"), std::string::npos);
  EXPECT_NE(page.find("Accuracy against latency"), std::string::npos);
  EXPECT_NE(page.find("fc1"), std::string::npos);
  EXPECT_EQ(page.find("<script"), std::string::npos);
  run_json({"sweep", model, "--bits", "2,4", "-o", path("bare.html"), "--seconds", "0"});
  EXPECT_NE(read(path("bare.html")).find("Relative error against latency"), std::string::npos);
}

TEST_F(Measure, BenchChecksAndReportsEveryContender) {
  const nlohmann::json j =
      run_json({"bench", "--gemv", "48x80,33x31", "--bits", "1,4,12", "--abits", "8,16,32",
                "--batch", "1,3", "--no-peers", "--seconds", "0"});
  ASSERT_EQ(j["results"].size(), 2U * 2 * 9);
  expect_keys(j["results"],
              {"rows", "cols", "batch", "threads", "cold", "kernel", "weight_bits",
               "activation_bits", "min_us", "median_us", "gbps", "gmacs", "share_of_read"});
  expect_keys(j["ceilings"], {"rows", "cols", "threads", "cold", "kind", "bytes", "huge_pages",
                              "min_us", "median_us", "gbps", "gmacs"});
  EXPECT_EQ(j["ceilings"][0]["kind"], "read");
  for (const auto& row : j["results"]) {
    EXPECT_GT(row["min_us"], 0);
    EXPECT_LE(row["min_us"], row["median_us"]);
    EXPECT_NE(row["kernel"], "");
  }
  const nlohmann::json named = run_json({"bench", "--gemv", "48x80", "--bits", "4", "--abits", "8",
                                         "--no-peers", "--seconds", "0", "--kernel", "reference"});
  EXPECT_EQ(named["results"][0]["kernel"], "reference");
  expect_failure(1, {"bench", "--gemv", "8x8", "--kernel", "quantum"}, "reference");
}

TEST_F(Measure, BenchSetsPeersBeside) {
  const nlohmann::json j = run_json({"bench", "--gemv", "64x96", "--bits", "4", "--abits", "8",
                                     "--batch", "1,2", "--seconds", "0"});
  std::set<std::string> kernels;
  for (const auto& row : j["results"]) kernels.insert(row["kernel"].get<std::string>());
  for (const char* peer : {"onednn_f32", "openblas_f32", "onednn_int8"}) {
    EXPECT_TRUE(kernels.contains(peer)) << peer;
  }
  EXPECT_EQ(j["results"].size(), kernels.size() * 2);
}

}  // namespace
}  // namespace pbatch::testing
