// allocate, and what takes its files: run, plan, eval, compare, sweep.
#include <cmath>

#include "tests/cli/program.h"
#include "tools/io/npy.h"

namespace pbatch::testing {
namespace {

class AllocateCommand : public Program {
 protected:
  nlohmann::json allocate(std::vector<std::string> more) {
    more.insert(more.begin(), {"allocate", path("model.onnx")});
    more.insert(more.end(), {"--seconds", "0"});
    return run_json(more);
  }
};

TEST_F(AllocateCommand, KeepsALimitOnTheError) {
  write_model();
  const auto json =
      allocate({"--max-error", "2%", "--least", "bytes", "--random", "3", "-o", path("a.json")});
  EXPECT_EQ(json["target"], "max-error 2%, least bytes");
  EXPECT_LE(json["result"]["error"], 0.02);
  ASSERT_EQ(json["layers"].size(), 2U);
  EXPECT_EQ(json["layers"][0]["choices"].size(), 16U);  // 8 widths, 8 and 16 activation bits
  for (const auto& row : json["uniform"]) {
    EXPECT_FALSE(row["error"] <= 0.02 && row["weight_bytes"] < json["result"]["weight_bytes"]);
  }
  // compare says the same of the file, on the same inputs.
  const auto compared = run_json({"compare", path("model.onnx"), "--random", "3", "--bits", "8",
                                  "--allocation", path("a.json"), "--seconds", "0"});
  const auto& row = compared["results"].back();
  EXPECT_EQ(row["allocation"], path("a.json"));
  EXPECT_DOUBLE_EQ(row["rel_error"], json["result"]["error"]);
  EXPECT_EQ(row["weight_bytes"], json["result"]["weight_bytes"]);
}

TEST_F(AllocateCommand, KeepsALimitOnBytes) {
  write_model();
  const auto json = allocate({"--max-bytes", "12kB", "--abits", "16"});
  EXPECT_LE(json["result"]["weight_bytes"], 12000);
  EXPECT_EQ(json["error_inputs"].get<std::string>().rfind("on noise", 0), 0U);
  EXPECT_EQ(json["layers"][0]["choices"].size(), 8U);
}

TEST_F(AllocateCommand, TakesALimitOnTime) {
  write_model();
  const auto json = allocate({"--max-latency", "1s", "--bits", "2,5"});
  EXPECT_GT(json["result"]["latency_us"], 0);
  EXPECT_LE(json["result"]["predicted_us"], 1e6);
}

TEST_F(AllocateCommand, TakesSamples) {
  write_model();
  write("s.npy", *encode_npy(tensor_of({32, 64}, random_floats(32 * 64, 9))));
  const auto json = allocate({"--max-error", "10%", "--samples", path("s.npy")});
  EXPECT_EQ(json["error_inputs"].get<std::string>().rfind("on samples", 0), 0U);
  EXPECT_LE(json["result"]["error"], 0.1);
}

TEST_F(AllocateCommand, FitsFloatNetworksThatAreQuantizedInMemory) {
  write_network();
  const Outcome made = run({"allocate", path("net.onnx"), "--max-error", "5%", "--planes", "6",
                            "--seconds", "0", "-o", path("a.json")});
  ASSERT_EQ(made.code, 0) << made.err;
  EXPECT_NE(made.out.find("fc1"), std::string::npos);
  const auto compared = run_json({"compare", path("net.onnx"), "--planes", "6", "--bits", "4",
                                  "--allocation", path("a.json"), "--seconds", "0"});
  EXPECT_EQ(compared["results"].size(), 3U);
  expect_failure(1,
                 {"compare", path("net.onnx"), "--planes", "5", "--bits", "4", "--allocation",
                  path("a.json"), "--seconds", "0"},
                 "other weights");
}

// A file by hand: 3 bits here, 6 there.
class AllocationFiles : public Program {
 protected:
  void SetUp() override {
    Program::SetUp();
    write_model();
    const Outcome made = run({"allocate", path("model.onnx"), "--max-bytes", "1MB", "--seconds",
                              "0", "-o", path("a.json")});
    ASSERT_EQ(made.code, 0) << made.err;
    allocation_ = nlohmann::json::parse(read(path("a.json")));
    allocation_["layers"] = {{{"name", "fc0"}, {"weight_bits", 3}, {"activation_bits", 8}},
                             {{"name", "fc1"}, {"weight_bits", 6}, {"activation_bits", 16}}};
    save();
    write("x.npy", *encode_npy(tensor_of({2, 64}, random_floats(128, 11))));
  }
  void save() { write("a.json", allocation_.dump()); }

  std::vector<std::string> run_with(const std::string& out, std::vector<std::string> more) {
    more.insert(more.begin(),
                {"run", path("model.onnx"), "--input", path("x.npy"), "--output", path(out)});
    return more;
  }
  nlohmann::json allocation_;
};

TEST_F(AllocationFiles, RunAndPlanTakeThem) {
  ASSERT_EQ(run(run_with("a.npy", {"--allocation", path("a.json")})).code, 0);
  ASSERT_EQ(run(run_with("b.npy", {"--layer", "fc0=3,8", "--layer", "fc1=6,16"})).code, 0);
  EXPECT_EQ(read(path("a.npy")), read(path("b.npy")));
  ASSERT_EQ(run(run_with("c.npy", {"--allocation", path("a.json"), "--layer", "fc1=2"})).code, 0);
  EXPECT_NE(read(path("c.npy")), read(path("a.npy")));

  const auto plan = run_json({"plan", path("model.onnx"), "--allocation", path("a.json")});
  EXPECT_EQ(plan["allocation"], path("a.json"));
  std::vector<int> bits;
  for (const auto& step : plan["steps"]) {
    if (step["weight_bits"] != 32) bits.push_back(step["weight_bits"]);
  }
  EXPECT_EQ(bits, (std::vector<int>{3, 6}));
}

TEST_F(AllocationFiles, EvalTakesThem) {
  Tensor labels = *Tensor::create(DType::i64, {2});
  labels.mutable_data<std::int64_t>()[0] = labels.mutable_data<std::int64_t>()[1] = 1;
  write("y.npy", *encode_npy(labels));
  const auto json =
      run_json({"eval", path("model.onnx"), "--data", path("x.npy"), "--labels", path("y.npy"),
                "--bits", "4", "--allocation", path("a.json"), "--seconds", "0"});
  ASSERT_EQ(json["results"].size(), 3U);
  EXPECT_EQ(json["results"][2]["allocation"], path("a.json"));
  EXPECT_EQ(json["results"][2]["weight_bits"], 6);
}

TEST_F(AllocationFiles, WhatDoesNotFitIsNamed) {
  const auto fails = [&](const std::string& part) {
    save();
    const auto command = run_with("n.npy", {"--allocation", path("a.json")});
    expect_failure(1, command, part);
  };
  allocation_["layers"][0]["weight_bits"] = 9;
  fails("node 'fc0': 9 bits, but 8");
  allocation_["layers"][0]["weight_bits"] = 0;
  fails("'weight_bits' is 0");
  allocation_["layers"].erase(0);
  fails("node 'fc0': it leaves out a layer");
  allocation_["weights_checksum"] = "00000000";
  fails("other weights");
  expect_failure(1, run_with("n.npy", {"--allocation", path("x.npy")}), "no bit allocation");
  expect_failure(1, run_with("n.npy", {"--allocation", path("none.json")}), "none.json");
}

TEST_F(AllocationFiles, SweepShowsThemBesideWhatItPlans) {
  const auto json = run_json({"sweep", path("model.onnx"), "--bits", "2,3,4", "--allocation",
                              path("a.json"), "-o", path("page.html"), "--seconds", "0"});
  ASSERT_EQ(json["results"].size(), 5U);  // float, three widths, the file
  EXPECT_EQ(json["results"][4]["allocation"], path("a.json"));
  for (const auto& row : json["planned"]) {
    const std::string name = row["allocation"];
    ASSERT_EQ(name.rfind("planned ", 0), 0U);
    const int bits = std::stoi(name.substr(8));
    EXPECT_LE(row["weight_bytes"], json["results"][std::size_t(bits) - 1]["weight_bytes"]);
  }
  EXPECT_NE(read(path("page.html")).find("a width for each layer"), std::string::npos);
}

TEST_F(AllocateCommand, QuantizeSaysWhatToRun) {
  write_network();
  const std::vector<std::string> command{"quantize", path("net.onnx"), "-o", path("model.onnx")};
  const auto json = run_json(command);
  ASSERT_EQ(json["advice"]["rel_error"].size(), 8U);
  EXPECT_EQ(json["advice"]["inputs"], "noise");
  for (const auto& target : json["advice"]["targets"]) {
    const int bits = target["weight_bits"];
    if (bits == 0) continue;
    EXPECT_LE(json["advice"]["rel_error"][std::size_t(bits) - 1], target["max_error"]);
  }
  const Outcome said = run(command);
  EXPECT_NE(said.out.find("to run at: within 10 %: "), std::string::npos) << said.out;
  std::vector<std::string> silent = command;
  silent.push_back("--no-advice");
  EXPECT_FALSE(run_json(silent).contains("advice"));
}

TEST_F(AllocateCommand, WrongUsage) {
  write_model();
  const std::string model = path("model.onnx");
  const std::string limits = "give one of --max-error, --max-latency and --max-bytes";
  expect_failure(2, {"allocate", model}, limits);
  expect_failure(2, {"allocate", model, "--max-error", "1%", "--max-bytes", "1MB"}, limits);
  for (const char* share : {"0", "-1%", "1 %", "x", "nan", "%", "1e999"}) {
    expect_failure(2, {"allocate", model, std::string("--max-error=") + share}, "a share such as");
  }
  expect_failure(2, {"allocate", model, "--max-latency", "300"}, "a time such as");
  expect_failure(2, {"allocate", model, "--max-bytes", "2Mb"}, "a size such as");
  expect_failure(2, {"allocate", model, "--max-error", "1%", "--bits", "4,32"}, "leave 32 out");
  expect_failure(2, {"allocate", model, "--max-error", "1%", "--samples", "s", "--random", "1"},
                 "without --samples");
  expect_failure(2, {"plan", model}, "give --bits or --allocation");
  expect_failure(2, {"plan", model, "--bits", "4", "--allocation", "a"}, "--bits or --allocation");
  expect_failure(2, {"run", model, "--bits", "4", "--allocation", "a"}, "--allocation");
  expect_failure(2,
                 {"eval", model, "--task", "seq2seq", "--decoder", model, "--start", "1", "--stop",
                  "2", "--data", "d", "--allocation", "a"},
                 "an allocation is for one");
}

TEST_F(AllocateCommand, FailuresLeaveNothing) {
  write_model();
  const std::string model = path("model.onnx");
  expect_failure(1, {"allocate", model, "--max-error", "0.000001%", "-o", path("a.json")},
                 "% away");
  expect_failure(1, {"allocate", model, "--max-bytes", "10B", "-o", path("a.json")},
                 "the narrowest need");
  expect_failure(1, {"allocate", model, "--max-error", "1%", "-o", model}, "model.onnx");
  expect_failure(1, {"allocate", model, "--max-error", "1%", "--layer", "fc7=2"}, "'fc7'");
}

}  // namespace
}  // namespace pbatch::testing
