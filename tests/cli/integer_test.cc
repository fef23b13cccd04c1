// Integer arithmetic by the options of the command line, and networks as C.
#include <unistd.h>

#include "pbatch/session.h"
#include "tests/cli/program.h"
#include "tools/io/npy.h"

namespace pbatch::testing {
namespace {

class IntegerOptions : public Program {
 protected:
  // With the range of its input among the metadata.
  std::string write_integer_model() {
    write_network();
    const Outcome o = run({"quantize", path("net.onnx"), "-o", path("model.onnx"), "--input-range",
                           "x=-4:4", "--no-advice"});
    EXPECT_EQ(o.code, 0) << o.err;
    return path("model.onnx");
  }
  Tensor write_inputs(std::int64_t items) {
    std::vector<float> x = random_floats(static_cast<std::size_t>(items * 64), 5);
    for (float& f : x) f = std::clamp(f, -4.0F, 4.0F);
    Tensor made = *Tensor::from_floats({items, 64}, x);
    write("x.npy", *encode_npy(made));
    return made;
  }
};

TEST_F(IntegerOptions, RunGivesWhatTheLibraryGives) {
  const std::string model = write_integer_model();
  const Tensor x = write_inputs(3);
  const nlohmann::json j = run_json({"run", model, "--bits", "4,8", "--arithmetic", "integer",
                                     "--input", path("x.npy"), "--output", path("y.npy")});
  EXPECT_EQ(j["arithmetic"], "integer");
  const Result<Session> session = Session::load(model, {.threads = 1});
  ASSERT_TRUE(session) << session.status().to_line();
  const std::vector<NamedTensor> inputs{{"x", x}};
  const auto integers = session->run(inputs, Precision::integer(4, 8));
  ASSERT_TRUE(integers) << integers.status().to_line();
  EXPECT_EQ(read(path("y.npy")), *encode_npy((*integers)[0]));
  const auto floats = session->run(inputs, Precision::bits(4, 8));
  EXPECT_NE(read(path("y.npy")), *encode_npy((*floats)[0]));
  const Outcome shown = run({"run", model, "--bits", "4,8", "--arithmetic", "integer", "--input",
                             path("x.npy"), "--layer", "fc1=8,16"});
  EXPECT_EQ(shown.code, 0) << shown.err;
  EXPECT_NE(shown.out.find("integers alone"), std::string::npos) << shown.out;
}

TEST_F(IntegerOptions, EvalAndCompareMeasureIntegers) {
  const std::string model = write_integer_model();
  write_inputs(40);
  Result<Tensor> labels = Tensor::create(DType::i64, {40});
  for (std::int64_t i = 0; i < 40; ++i) labels->mutable_data<std::int64_t>()[i] = i % 10;
  write("y.npy", *encode_npy(*labels));
  const nlohmann::json eval =
      run_json({"eval", model, "--data", path("x.npy"), "--labels", path("y.npy"), "--bits", "8",
                "--abits", "8,16", "--arithmetic", "integer", "--seconds", "0"});
  const nlohmann::json compare =
      run_json({"compare", model, "--float", path("net.onnx"), "--input", "x=" + path("x.npy"),
                "--bits", "8", "--abits", "8,16", "--arithmetic", "integer", "--seconds", "0"});
  for (const nlohmann::json& j : {eval, compare}) {
    ASSERT_EQ(j["results"].size(), 3U) << j;
    EXPECT_FALSE(j["results"][0].contains("arithmetic"));
    EXPECT_EQ(j["results"][1]["arithmetic"], "integer");
    EXPECT_EQ(j["results"][2]["arithmetic"], "integer");
  }
  const auto& rows = compare["results"];
  EXPECT_GT(rows[1]["rel_error"], rows[2]["rel_error"]);
  EXPECT_LT(rows[1]["rel_error"], 0.2);
  EXPECT_LT(rows[2]["rel_error"], 0.02);
}

TEST_F(IntegerOptions, ActivationsOf8s) {
  const std::string net = write_network(), model = path("model.onnx");
  write_inputs(40);
  EXPECT_EQ(run({"quantize", net, "-o", model, "--samples", path("x.npy"), "--no-advice"}).code, 0);
  const std::string data = "x=" + path("x.npy");
  const nlohmann::json j =
      run_json({"compare", model, "--float", net, "--input", data, "--bits", "8", "--abits",
                "8s,16", "--arithmetic", "integer", "--seconds", "0"});
  EXPECT_EQ(j["results"][1]["activation_bits"], "8s");
  EXPECT_EQ(j["results"][2]["activation_bits"], 16);
  EXPECT_GT(j["results"][1]["rel_error"], j["results"][2]["rel_error"]);
  EXPECT_LT(j["results"][1]["rel_error"], 0.1);
  const nlohmann::json by_layer =
      run_json({"compare", model, "--float", net, "--input", data, "--bits", "8", "--abits", "16",
                "--layer", "fc1=8,8s", "--arithmetic", "integer", "--seconds", "0"});
  EXPECT_GT(by_layer["results"][1]["rel_error"], j["results"][2]["rel_error"]);
  EXPECT_LT(by_layer["results"][1]["rel_error"], j["results"][1]["rel_error"]);
  const nlohmann::json ran = run_json(
      {"run", model, "--bits", "8,8s", "--arithmetic", "integer", "--input", path("x.npy")});
  EXPECT_EQ(ran["activation_bits"], "8s");
  const nlohmann::json plan =
      run_json({"plan", model, "--bits", "8,8s", "--arithmetic", "integer"});
  EXPECT_EQ(plan["steps"][0]["kernel"], "integer levels");
  expect_failure(1, {"run", model, "--bits", "8,8s", "--input", path("x.npy")},
                 "integer arithmetic");
  expect_failure(2, {"run", model, "--bits", "8,9s"}, "8s");
  expect_failure(2, {"sweep", model, "--abits", "8s", "-o", path("page.html")}, "8s");
  expect_failure(2, {"allocate", model, "--max-error", "1%", "--abits", "8s"}, "8s");
  expect_failure(2, {"bench", "--gemv", "8x8", "--abits", "8s"}, "--abits");
  const std::string bare = write_integer_model();
  expect_failure(
      1, {"run", bare, "--bits", "8,8s", "--arithmetic", "integer", "--input", path("x.npy")},
      "--samples");
}

TEST_F(IntegerOptions, PlanListsTheStepsOfIntegers) {
  const std::string model = write_integer_model();
  const nlohmann::json j =
      run_json({"plan", model, "--bits", "4,8", "--arithmetic", "integer", "--batch", "2"});
  EXPECT_EQ(j["arithmetic"], "integer");
  ASSERT_FALSE(j["steps"].empty());
  for (const auto& step : j["steps"]) {
    EXPECT_EQ(step["kernel"].get<std::string>().rfind("integer ", 0), 0U) << step;
  }
  EXPECT_FALSE(run_json({"plan", model, "--bits", "4,8"}).contains("arithmetic"));
}

TEST_F(IntegerOptions, InspectProvesSums) {
  const std::string model = write_integer_model();
  const nlohmann::json j = run_json(
      {"inspect", model, "--arithmetic", "integer", "--bits", "3,8", "--layer", "fc1=5,16"});
  ASSERT_EQ(j["accumulators"].size(), 3U) << j;
  const auto& first = j["accumulators"][0];
  EXPECT_EQ(first["node"], "fc0");
  EXPECT_EQ(first["weight_bits"], 3);
  EXPECT_EQ(first["activation_bits"], 8);
  EXPECT_EQ(j["accumulators"][1]["weight_bits"], 5);
  EXPECT_EQ(j["accumulators"][1]["activation_bits"], 16);
  // |q (2u - 7)| <= 255 * 7 for each of 64 columns, and inputs reach 127.
  EXPECT_LE(first["largest"], 255.0 * 7 * 64 * 127);
  EXPECT_GT(first["largest"], 0);
  EXPECT_FALSE(run_json({"inspect", model}).contains("accumulators"));
}

TEST_F(IntegerOptions, WrongUsageSaysWhatIsMeant) {
  const std::string model = write_integer_model(), net = path("net.onnx");
  expect_failure(2, {"run", model, "--arithmetic", "int"}, "--arithmetic");
  write_inputs(1);
  for (const std::string command : {"run", "plan"}) {
    const auto refused = [&](const std::string& file, std::vector<std::string> options,
                             const std::string& part) {
      options.insert(options.begin(), {command, file, "--arithmetic", "integer"});
      if (command == "run") options.insert(options.end(), {"--input", path("x.npy")});
      expect_failure(1, options, part);
    };
    for (const char* bits : {"4,32", "32"}) {
      refused(model, {"--bits", bits}, "8 or 16 activation bits");
    }
    refused(net, {"--bits", "4"}, "pbatch quantize");
    refused(model, {"--bits", "4", "--layer", "no=4"}, "'no'");
  }
  expect_failure(1, {"compare", model, "--float", net, "--abits", "32", "--arithmetic", "integer"},
                 "8 or 16 activation bits");
  expect_failure(2, {"allocate", model, "--max-error", "1%", "--arithmetic", "integer"},
                 "--arithmetic");
  expect_failure(1, {"inspect", net, "--arithmetic", "integer"}, "pbatch quantize");
  expect_failure(1, {"inspect", model, "--arithmetic", "integer", "--layer", "no=4"}, "'no'");
  expect_failure(1, {"inspect", model, "--arithmetic", "integer", "--shape", "no=1x64"}, "'no'");
  expect_failure(1, {"inspect", model, "--arithmetic", "integer", "--bits", "12"}, "12");
  // Without it these would prove nothing.
  expect_failure(2, {"inspect", model, "--bits", "4"}, "--arithmetic integer");
  expect_failure(2, {"inspect", model, "--layer", "fc1=4"}, "--arithmetic integer");
  expect_failure(2, {"inspect", model, "--shape", "x=1x64"}, "--arithmetic integer");
}

TEST_F(IntegerOptions, RangesOfInputs) {
  const std::string net = write_network(), model = path("model.onnx");
  for (const char* text : {"x", "x=", "x=1", "x=1:", "x=1:2:3", "x=1:2x", "=0:1", "x=0,1", "0:1",
                           "x=nan:1", "x=a:b"}) {
    expect_failure(1, {"quantize", net, "-o", model, "--input-range", text}, "LEAST:GREATEST");
  }
  expect_failure(1, {"quantize", net, "-o", model, "--input-range", "x=1:0"},
                 "its least and its greatest");
  expect_failure(1, {"quantize", net, "-o", model, "--input-range", "z=0:1"}, "'z'");
  EXPECT_EQ(run({"quantize", net, "-o", model, "--no-advice"}).code, 0);
  write_inputs(1);
  expect_failure(1, {"run", model, "--arithmetic", "integer", "--input", path("x.npy")},
                 "--input-range NAME=LEAST:GREATEST");
  expect_failure(1, {"compare", model, "--float", net, "--input-range", "x=0:1"}, "--input-range");
  // A wider range makes coarser codes; one that is too narrow cuts off.
  const auto error_with = [&](const char* range) {
    return run_json({"compare", net, "--input", "x=" + path("x.npy"), "--bits", "8", "--abits", "8",
                     "--arithmetic", "integer", "--input-range", range, "--seconds",
                     "0"})["results"][1]["rel_error"]
        .get<double>();
  };
  const double fitting = error_with("x=-4:4");
  EXPECT_GT(error_with("x=-400:400"), 2 * fitting);
  EXPECT_GT(error_with("x=-0.25:0.25"), 2 * fitting);
}

TEST_F(IntegerOptions, ExportCWritesWhatInspectAndRunKnow) {
  const std::string model = write_integer_model();
  const std::string folder = path("new/folder");
  const Outcome o = run({"export-c", model, "-o", folder, "--bits", "4,8", "--name", "tiny_net"});
  EXPECT_EQ(o.code, 0) << o.err;
  const Result<Session> session = Session::load(model, {.threads = 1});
  ASSERT_TRUE(session) << session.status().to_line();
  const auto files = session->export_c("tiny_net", Precision::integer(4, 8));
  ASSERT_TRUE(files) << files.status().to_line();
  std::size_t written = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    written += entry.is_regular_file() ? 1 : 0;
  }
  EXPECT_EQ(written, files->size());
  for (const SourceFile& file : *files) {
    EXPECT_EQ(read(folder + "/" + file.name), file.text) << file.name;
  }
}

TEST_F(IntegerOptions, ExportCRefuses) {
  const std::string model = write_integer_model(), net = path("net.onnx"), to = path("out");
  expect_failure(2, {"export-c", model, "--bits", "4"}, "--output");
  expect_failure(2, {"export-c", model, "-o", to}, "--bits");
  expect_failure(2, {"export-c", "-o", to, "--bits", "4"}, "file");
  expect_failure(2, {"export-c", model, "-o", to, "--bits", "4,12"}, "--bits");
  expect_failure(2, {"export-c", model, "-o", to, "--bits", "1:8"}, "--bits");
  expect_failure(2, {"export-c", model, "-o", to, "--bits", "4", "--arithmetic", "float"},
                 "integers alone");
  for (const char* name : {"9lives", "a-b", "a b", "\xc3\xa9t\xc3\xa9"}) {
    expect_failure(1, {"export-c", model, "-o", to, "--bits", "4", std::string("--name=") + name},
                   "letters, digits and underscores");
  }
  for (const char* bits : {"4,32", "32"}) {
    expect_failure(1, {"export-c", model, "-o", to, "--bits", bits}, "8 or 16 activation bits");
  }
  expect_failure(1, {"export-c", model, "-o", to, "--bits", "12"}, "12");
  expect_failure(1, {"export-c", model, "-o", to, "--bits", "4", "--layer", "no=4"}, "'no'");
  expect_failure(1, {"export-c", model, "-o", to, "--bits", "4", "--shape", "no=1x64"}, "'no'");
  expect_failure(1, {"export-c", path("no.onnx"), "-o", to, "--bits", "4"}, "no.onnx");
  expect_failure(1, {"export-c", net, "-o", to, "--bits", "4"}, "pbatch quantize");
  EXPECT_EQ(run({"quantize", net, "-o", path("bare.onnx"), "--no-advice"}).code, 0);
  expect_failure(1, {"export-c", path("bare.onnx"), "-o", to, "--bits", "4"}, "--input-range");

  Graph graph = mlp({64, 128, 10});
  Node hard;
  hard.name = "hard";
  hard.op_type = "Hardmax";
  hard.opset = 13;
  hard.inputs = {graph.outputs[0]};
  hard.outputs = {graph.add_value({.name = "z"})};
  graph.outputs = {hard.outputs[0]};
  graph.nodes.push_back(hard);
  write_onnx(graph, path("hard.onnx"));
  EXPECT_EQ(run({"quantize", path("hard.onnx"), "-o", path("hard_model.onnx"), "--no-advice",
                 "--input-range", "x=-4:4"})
                .code,
            0);
  expect_failure(1, {"export-c", path("hard_model.onnx"), "-o", to, "--bits", "4"}, "hard");
}

TEST_F(IntegerOptions, ExportCNeedsAFolderThatCanBeWritten) {
  const std::string model = write_integer_model();
  write("file", "not a folder\n");
  expect_failure(1, {"export-c", model, "-o", path("file"), "--bits", "4"}, "file");
  expect_failure(1, {"export-c", model, "-o", path("file/under"), "--bits", "4"}, "file/under");
  expect_failure(1, {"export-c", model, "-o", "/proc/no", "--bits", "4"}, "/proc/no");
  EXPECT_EQ(read(path("file")), "not a folder\n");
}

}  // namespace
}  // namespace pbatch::testing
