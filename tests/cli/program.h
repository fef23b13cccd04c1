// Runs the program as a user does.
#pragma once

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/networks.h"
#include "tests/support/scratch.h"

extern char** environ;

namespace pbatch::testing {

struct Outcome {
  int code = -1;
  std::string out, err;
};

class Program : public Scratch {
 protected:
  Outcome run(const std::vector<std::string>& arguments, const std::string& stdout_file = {}) {
    const std::string out = stdout_file.empty() ? path(".stdout") : stdout_file;
    std::vector<std::string> words{PBATCH_PROGRAM};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& w : words) argv.push_back(w.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_addopen(&actions, 2, path(".stderr").c_str(),
                                     O_WRONLY | O_CREAT | O_TRUNC, 0600);
    pid_t pid = 0;
    EXPECT_EQ(posix_spawn(&pid, PBATCH_PROGRAM, &actions, nullptr, argv.data(), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    int status = 0;
    waitpid(pid, &status, 0);
    Outcome outcome{WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), {}, {}};
    if (stdout_file.empty()) outcome.out = read(out);
    outcome.err = read(path(".stderr"));
    std::filesystem::remove(path(".stderr"));
    if (stdout_file.empty()) std::filesystem::remove(out);
    return outcome;
  }

  /// Runs and expects success; the JSON it writes.
  nlohmann::json run_json(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--json", "-", "--threads", "1"});
    if (arguments[0] == "inspect") arguments.resize(arguments.size() - 2);
    const Outcome o = run(arguments);
    EXPECT_EQ(o.code, 0) << o.err;
    EXPECT_EQ(o.err, "");
    return nlohmann::json::parse(o.out, nullptr, /*allow_exceptions=*/false);
  }

  /// Runs and expects this exit code, one line on the standard error that
  /// holds `part`, nothing on the standard output, and no new file.
  void expect_failure(int code, const std::vector<std::string>& arguments,
                      const std::string& part) {
    const std::size_t files = file_count();
    const Outcome o = run(arguments);
    EXPECT_EQ(o.code, code) << o.err;
    EXPECT_EQ(std::count(o.err.begin(), o.err.end(), '\n'), 1) << o.err;
    EXPECT_EQ(o.err.rfind("pbatch: ", 0), 0U) << o.err;
    EXPECT_NE(o.err.find(part), std::string::npos) << o.err;
    EXPECT_EQ(o.out, "");
    EXPECT_EQ(file_count(), files);
  }

  /// x [N, 64] -> 128 -> 96 -> 10; the first two matrices are large enough to be quantized.
  std::string write_network() {
    write_onnx(mlp({64, 128, 96, 10}), path("net.onnx"));
    return path("net.onnx");
  }
  std::string write_model() {
    write_network();
    const Outcome o = run({"quantize", path("net.onnx"), "-o", path("model.onnx")});
    EXPECT_EQ(o.code, 0) << o.err;
    return path("model.onnx");
  }
};

/// What mlp({64, 128, 96, 10}) answers, in double precision, from its definition.
inline std::vector<double> naive_mlp(const std::vector<float>& x) {
  const std::vector<std::int64_t> sizes{64, 128, 96, 10};
  std::vector<double> h(x.begin(), x.end());
  for (std::size_t i = 0; i + 1 < sizes.size(); ++i) {
    const auto in = static_cast<std::size_t>(sizes[i]),
               out = static_cast<std::size_t>(sizes[i + 1]);
    const std::vector<float> w = random_floats(in * out, unsigned(i) + 1);
    const std::vector<float> b = random_floats(out, 100 + unsigned(i));
    std::vector<double> y(out);
    for (std::size_t r = 0; r < out; ++r) {
      double sum = b[r];
      for (std::size_t c = 0; c < in; ++c) sum += w[r * in + c] / std::sqrt(double(in)) * h[c];
      y[r] = i + 2 == sizes.size() ? sum : std::max(sum, 0.0);
    }
    h = y;
  }
  return h;
}

}  // namespace pbatch::testing
