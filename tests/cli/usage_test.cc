// Wrong usage, wrong files: one line each, the right exit code, nothing left behind.
#include <sched.h>

#include "tests/cli/program.h"

namespace pbatch::testing {
namespace {

class Usage : public Program {};

// A CPU that this process, and so the program, may use.
int first_cpu() {
  cpu_set_t set;
  CPU_ZERO(&set);
  EXPECT_EQ(sched_getaffinity(0, sizeof set, &set), 0);
  int cpu = 0;
  while (cpu < CPU_SETSIZE - 1 && CPU_ISSET(cpu, &set) == 0) ++cpu;
  return cpu;
}

TEST_F(Usage, HelpAndVersion) {
  const Outcome version = run({"--version"});
  EXPECT_EQ(version.code, 0);
  EXPECT_EQ(version.out.rfind("pbatch ", 0), 0U);
  const Outcome help = run({"--help"});
  EXPECT_EQ(help.code, 0);
  for (const char* command :
       {"quantize", "inspect", "run", "eval", "compare", "sweep", "allocate", "bench", "plan"}) {
    EXPECT_NE(help.out.find(command), std::string::npos);
    const Outcome of = run({command, "--help"});
    EXPECT_EQ(of.code, 0);
    EXPECT_NE(of.out.find("--json"), std::string::npos) << command;
  }
}

TEST_F(Usage, ServeIsACommandOfThePythonPackage) {
  expect_failure(1, {"serve", "net.onnx", "--port", "8000"}, "precisionbatching[serve]");
}

TEST_F(Usage, AFailureIsJsonWhereJsonGoesToTheOutput) {
  const Outcome failed = run({"inspect", "no_such.onnx", "--json", "-"});
  EXPECT_EQ(failed.code, 1);
  const nlohmann::json said = nlohmann::json::parse(failed.out, nullptr, false);
  ASSERT_TRUE(said.contains("error")) << failed.out;
  EXPECT_EQ(said["error"]["code"], "not_found");
  EXPECT_EQ(said["error"]["file"], "no_such.onnx");
  EXPECT_EQ(said["error"]["node"], "");
  EXPECT_EQ(failed.err, "pbatch: no_such.onnx: " + said["error"]["message"].get<std::string>() +
                            "; " + said["error"]["remedy"].get<std::string>() + "\n");
}

TEST_F(Usage, WrongUsageIsExitCode2) {
  const std::string net = write_network();
  expect_failure(2, {}, "--help");
  expect_failure(2, {"dance"}, "dance");
  expect_failure(2, {"inspect"}, "file");
  expect_failure(2, {"inspect", net, "--colour"}, "--colour");
  for (const char* bits : {"0", "17", "8:1", "1:", "a", "1,,2", "4.5", "-3", "1:17", "33", ""}) {
    expect_failure(2, {"compare", net, "--bits", bits}, "--bits");
  }
  expect_failure(2, {"compare", net, "--abits", "12"}, "--abits");
  expect_failure(2, {"compare", net, "--layer", "fc0"}, "--layer");
  expect_failure(2, {"compare", net, "--layer", "fc0=99"}, "--layer");
  expect_failure(2, {"compare", net, "--shape", "x=1x"}, "--shape");
  expect_failure(2, {"compare", net, "--input", "x=a.npy", "--random", "3"}, "--input");
  expect_failure(2, {"eval", net}, "--data");
  expect_failure(2, {"sweep", net, "-o", path("p.html"), "--data", "x"}, "go together");
  expect_failure(2, {"run", net, "--bits", ""}, "--bits");
  expect_failure(2, {"plan", net}, "--bits");
  expect_failure(2, {"run", net, "--threads", "0"}, "--threads");
  for (const char* cpus : {"", "a", "-1", "0,", "3:1", "0:1:2", "0.5"}) {
    expect_failure(2, {"run", net, std::string("--cpus=") + cpus}, "--cpus");
  }
  expect_failure(2, {"run", net, "--cpus", "0:1", "--threads", "3"}, "2 CPUs for 3 threads");
  for (const char* device : {"", "gpu", "cuda:", "cuda:-1", "cuda:x", "cuda:99999"}) {
    expect_failure(2, {"compare", net, std::string("--device=") + device}, "--device");
  }
  expect_failure(2, {"bench", "--gemv", "64x64", "--cpus", "0", "--threads", "1,2"},
                 "1 CPUs for 2 threads");
  expect_failure(2, {"quantize", net}, "--output");
  expect_failure(2, {"quantize", net, "-o", path("m.onnx"), "--planes", "17"}, "--planes");
  expect_failure(2, {"quantize", net, "-o", path("m.onnx"), "--group", "48"}, "--group");
  for (const char* shape : {"0x5", "5", "5x", "x5", "-1x4", "99999999999999999999x1",
                            "1048576x1048576", "4x4x4", "4x4,"}) {
    expect_failure(2, {"bench", "--gemv", shape}, "--gemv");
  }
  expect_failure(2, {"bench", "--gemv", "64x64", "--batch", "0"}, "--batch");
  expect_failure(2, {"bench", "--gemv", "64x64", "--bits", "32"}, "--bits");
}

TEST_F(Usage, CpusThatAreNotThere) {
  const std::string net = write_network();
  for (const std::vector<std::string>& command :
       std::vector<std::vector<std::string>>{{"run", net},
                                             {"plan", net, "--bits", "4"},
                                             {"compare", net},
                                             {"quantize", net, "-o", path("m.onnx")},
                                             {"bench", "--gemv", "8x8"}}) {
    std::vector<std::string> words = command;
    words.insert(words.end(), {"--cpus", "1000000"});
    expect_failure(1, words, "CPU 1000000 does not exist");
  }
  const std::string cpu = std::to_string(first_cpu());
  expect_failure(1, {"run", net, "--cpus", cpu + "," + cpu}, "named twice");
}

TEST_F(Usage, RunsOnTheCpusThatAreNamed) {
  const std::string net = write_network();
  const std::string cpu = std::to_string(first_cpu());
  for (const std::vector<std::string>& command :
       std::vector<std::vector<std::string>>{{"plan", net, "--bits", "4"},
                                             {"compare", net, "--seconds", "0"},
                                             {"bench", "--gemv", "64x64", "--seconds", "0"}}) {
    const nlohmann::json j = run_json([&] {
      std::vector<std::string> words = command;
      words.insert(words.end(), {"--cpus", cpu});
      return words;
    }());
    EXPECT_EQ(j["cores"], 1) << command[0];
    EXPECT_EQ(j["threads"], 1) << command[0];
  }
}

TEST_F(Usage, FilesThatAreNotThereOrDamaged) {
  const std::string net = write_network();
  const std::string good = read(net);
  write("half.onnx", good.substr(0, good.size() / 2));
  write("text.onnx", "this is no network\n");
  for (const char* name : {"absent.onnx", "half.onnx", "text.onnx"}) {
    expect_failure(1, {"inspect", path(name)}, name);
    expect_failure(1, {"run", path(name), "--bits", "4"}, name);
    expect_failure(1, {"compare", path(name)}, name);
    expect_failure(1, {"plan", path(name), "--bits", "4"}, name);
    expect_failure(1, {"quantize", path(name), "-o", path("out.onnx")}, name);
    expect_failure(1, {"sweep", path(name), "-o", path("out.html")}, name);
  }
}

TEST_F(Usage, OutputsThatCannotBeWritten) {
  const std::string net = write_network();
  const std::string nowhere = path("no/such/folder/out");
  expect_failure(1, {"inspect", net, "--json", nowhere}, nowhere);
  expect_failure(1, {"compare", net, "--json", nowhere}, nowhere);
  expect_failure(1, {"sweep", net, "-o", nowhere}, nowhere);
  expect_failure(1, {"quantize", net, "-o", nowhere + ".onnx"}, nowhere);
  expect_failure(1, {"run", net, "--output", "y=" + nowhere}, nowhere);
  expect_failure(1, {"inspect", net, "--json", "/dev/full"}, "/dev/full");
  const Outcome full = run({"inspect", net}, "/dev/full");
  EXPECT_EQ(full.code, 1);
  EXPECT_NE(full.err.find("standard output"), std::string::npos) << full.err;
}

TEST_F(Usage, AFailedQuantizeLeavesAnOldModelAlone) {
  const std::string model = write_model();
  const std::string before = read(model), data = read(path("model.safetensors"));
  write("text.onnx", "this is no network\n");
  expect_failure(1, {"quantize", path("text.onnx"), "-o", model}, "text.onnx");
  EXPECT_EQ(read(model), before);
  EXPECT_EQ(read(path("model.safetensors")), data);
}

TEST_F(Usage, UnknownInstructionSetIsRefused) {
  const std::string net = write_network();
  setenv("PBATCH_ISA", "abacus", 1);
  expect_failure(1, {"inspect", net}, "abacus");
  unsetenv("PBATCH_ISA");
}

}  // namespace
}  // namespace pbatch::testing
