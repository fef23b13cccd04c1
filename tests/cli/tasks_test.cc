// eval --task: what each task measures, and what it refuses.
#include <set>

#include "tests/cli/program.h"
#include "tests/support/step_networks.h"
#include "tools/io/npy.h"

namespace pbatch::testing {
namespace {

class Tasks : public Program {
 protected:
  std::string net(const std::string& name, const Graph& graph) {
    write_onnx(graph, path(name));
    return path(name);
  }
  static std::vector<std::string> with_words(std::vector<std::string> words,
                                             const std::vector<std::string>& more) {
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  nlohmann::json eval(std::vector<std::string> words) {
    words.insert(words.begin(), "eval");
    return run_json(with_words(words, {"--min-elements", "0", "--seconds", "0"}));
  }
  void refuse(int code, std::vector<std::string> words, const std::string& part) {
    words.insert(words.begin(), "eval");
    expect_failure(code, words, part);
  }
  static std::set<std::string> keys(const nlohmann::json& object) {
    std::set<std::string> found;
    for (const auto& item : object.items()) found.insert(item.key());
    return found;
  }
  Tensor integers(const Shape& shape, const std::vector<std::int64_t>& values) {
    auto t = Tensor::create(DType::i64, shape);
    std::copy(values.begin(), values.end(), t->mutable_data<std::int64_t>());
    return *t;
  }
};

const std::set<std::string> kRowKeys{"weight_bits", "activation_bits", "metric",      "value",
                                     "latency_us",  "speedup_vs_f32",  "weight_bytes"};

std::set<std::string> with(std::set<std::string> keys, const std::set<std::string>& more) {
  keys.insert(more.begin(), more.end());
  return keys;
}

// a [?, 3], lengths [?] -> logits [?, 4]: 1 for a's first token, 0.5 for its length plus 2.
Graph two_inputs() {
  NetBuilder b;
  const ValueId x = b.input("a", DType::i64, {-1, 3});
  const ValueId n = b.input("lengths", DType::i64, {-1});
  const ValueId e = b.node("Gather", {b.floats({4, 4}, shifted_identity(4, 0, 1)), x});
  const ValueId first = b.node("Gather", {e, b.integers({}, {0})}, {{"axis", std::int64_t{1}}});
  const ValueId l = b.node("Gather", {b.floats({4, 4}, shifted_identity(4, 2, 0.5F)), n});
  const ValueId w = b.floats({4, 4}, shifted_identity(4, 0, 1));
  b.output(b.node("MatMul", {b.node("Add", {first, l}), w}), "logits", {-1, 4});
  return b.graph();
}

TEST_F(Tasks, ClassifyFeedsSeveralInputs) {
  const std::string model = net("two.onnx", two_inputs());
  write("a.npy", *encode_npy(integers({4, 3}, {0, 1, 1, 1, 0, 0, 2, 0, 0, 3, 0, 0})));
  write("n.npy", *encode_npy(integers({4}, {3, 0, 1, 2})));
  write("y.npy", *encode_npy(integers({4}, {0, 1, 2, 0})));
  const std::vector<std::string> words{model,
                                       "--data",
                                       "a=" + path("a.npy"),
                                       "--data",
                                       "lengths=" + path("n.npy"),
                                       "--labels",
                                       path("y.npy"),
                                       "--bits",
                                       "8"};
  const nlohmann::json j = eval(words);
  EXPECT_EQ(j["task"], "classify");
  EXPECT_EQ(j["data"], (std::vector<std::string>{words[2], words[4]}));
  EXPECT_EQ(j["items"], 4);
  EXPECT_EQ(j["batch"], 4);
  EXPECT_EQ(keys(j["results"][0]), kRowKeys);
  EXPECT_EQ(j["results"][0]["value"],
            0.75);  // the first word decides: only the last label is not it
  EXPECT_EQ(j["results"][1]["value"], 0.75);
  const auto refused = [&](const std::vector<std::string>& data, const std::string& part) {
    std::vector<std::string> all{model, "--labels", path("y.npy"), "--min-elements", "0"};
    for (const std::string& d : data) all.insert(all.end(), {"--data", d});
    refuse(1, all, part);
  };
  refused({"a=" + path("a.npy")}, "input 'lengths' is missing");
  refused({path("a.npy")}, "which input");
  refused({words[2], words[4], words[4]}, "given twice");
  refused({words[2], words[4], "b=" + path("a.npy")}, "no input 'b'");
  write("short.npy", *encode_npy(integers({3}, {3, 0, 1})));
  refused({words[2], "lengths=" + path("short.npy")}, "3 items");
  refuse(1, {model, "--data", words[2], "--labels", path("y.npy"), "--batch-axis", "q=1"}, "'q'");
  refuse(2, {model, "--data", words[2], "--labels", path("y.npy"), "--batch-axis", "a=x"},
         "NAME=N");
}

TEST_F(Tasks, AFileNameWithAnEqualsSignIsAFile) {
  const std::string model = net("two.onnx", mlp({4, 4}));
  write("x=1.npy", *encode_npy(tensor_of({2, 4}, random_floats(8, 1))));
  write("y.npy", *encode_npy(integers({2}, {0, 1})));
  const auto j = eval({model, "--data", path("x=1.npy"), "--labels", path("y.npy"), "--bits", "2"});
  EXPECT_EQ(j["data"], path("x=1.npy"));
}

TEST_F(Tasks, LmMeasuresPerplexity) {
  const std::string model = net("lm.onnx", bigram_net(16, 4));
  write("text.txt", "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 0 1\n");
  const nlohmann::json j =
      eval({model, "--task", "lm", "--data", path("text.txt"), "--bits", "1,8", "--steps", "5"});
  EXPECT_EQ(j["tokens"], 17);
  EXPECT_EQ(j["vocabulary"], 16);
  EXPECT_EQ(j["streams"], 1);
  EXPECT_EQ(j["steps"], 5);
  EXPECT_EQ(j["output"], "logits");
  EXPECT_EQ(j["states"], "none");
  ASSERT_EQ(j["results"].size(), 3U);
  const auto& row = j["results"][0];
  EXPECT_EQ(keys(row), with(kRowKeys, {"bits_per_token"}));
  EXPECT_EQ(row["metric"], "perplexity");
  EXPECT_EQ(row["weight_bits"], 32);
  EXPECT_NEAR(row["value"].get<double>(), 1 + 15 * std::exp(-4.0), 1e-5);
  EXPECT_NEAR(j["results"][2]["value"].get<double>(), row["value"].get<double>(), 0.1);
  const nlohmann::json cut = eval({model, "--task", "lm", "--data", path("text.txt"), "--bits", "8",
                                   "--streams", "3", "--limit", "4"});
  EXPECT_EQ(cut["tokens"], 9);
  EXPECT_EQ(cut["batch"], 3);
}

TEST_F(Tasks, LmCarriesStatesAndSaysWhichAreMissing) {
  const std::string model = net("lm.onnx", memory_net(16, 3));
  write("text.txt", "0 5 1 6 2 7 3 8");
  const std::vector<std::string> words{model, "--task", "lm", "--data", path("text.txt")};
  const nlohmann::json j = eval(with_words(words, {"--bits", "8"}));
  EXPECT_EQ(j["states"], "h_in <- h_out");
  const double p = std::exp(3.0) / (std::exp(3.0) + 15);
  EXPECT_NEAR(j["results"][0]["bits_per_token"].get<double>(), (4 - 6 * std::log2(p)) / 7, 1e-5);
  const nlohmann::json told = eval(with_words(
      words, {"--bits", "8", "--state", "h_in=h_out", "--input", "tokens", "--output", "logits"}));
  EXPECT_EQ(told["results"][0]["value"], j["results"][0]["value"]);
  net("lm.onnx", memory_net(16, 3, "a", "b"));
  const auto refused = [&](const std::vector<std::string>& more, const std::string& part) {
    refuse(1, with_words(words, with_words(more, {"--min-elements", "0"})), part);
  };
  refused({}, "--state a=OUTPUT");
  refused({"--state", "a=c"}, "no output 'c'");
  refused({"--state", "c=b"}, "no input 'c'");
  refused({"--state", "a=b", "--state", "a=logits"}, "two states");
  refused({"--state", "a=b", "--output", "nothing"}, "no output 'nothing'");
  refused({"--state", "a=b", "--steps", "4"}, "fixes its steps at 1");
  for (const char* state : {"a", "a=", "=b"}) {
    refuse(2, with_words(words, {"--state", state}), "--state");
  }
}

TEST_F(Tasks, LmRefusesBadTexts) {
  const std::string model = net("lm.onnx", bigram_net(16, 4));
  const auto refused = [&](const std::string& file, const std::string& part) {
    refuse(1, {model, "--task", "lm", "--min-elements", "0", "--data", file}, part);
  };
  refused(write("t.txt", "0 1 16"), "token 16 at position 2");
  refused(write("t.txt", "0 -1 2"), "token -1");
  refused(write("t.txt", ""), "0 tokens");
  refused(write("t.txt", "a b"), "'a'");
  refused(path("absent.txt"), "absent.txt");
  refused(write("t.npy", *encode_npy(tensor_of({2}, {1, 2}))), "float32");
}

TEST_F(Tasks, Seq2SeqDecodes) {
  const std::string encoder = net("encoder.onnx", greatest_encoder(16));
  const std::string decoder = net("decoder.onnx", countdown_decoder(16));
  write("pairs.tsv", "3 1 2\t3 2 1\n2\t2\n1 4\t4 4 4 4\n");
  const std::vector<std::string> words{encoder,          "--task", "seq2seq", "--decoder", decoder,
                                       "--start",        "1",      "--stop",  "0",         "--data",
                                       path("pairs.tsv")};
  const nlohmann::json j = eval(with_words(words, {"--bits", "1,8"}));
  EXPECT_EQ(j["pairs"], 3);
  EXPECT_EQ(j["feeds"], "h0 <- hn");
  EXPECT_EQ(j["states"], "h0 <- hn");
  EXPECT_EQ(j["decoder_float_source"], decoder);
  ASSERT_EQ(j["results"].size(), 3U);
  EXPECT_EQ(keys(j["results"][0]), with(kRowKeys, {"sequence_error"}));
  EXPECT_EQ(j["results"][0]["metric"], "token_error");
  EXPECT_EQ(j["results"][0]["value"], 0.5);  // 0 + 1 + 3 edits of 3 + 1 + 4
  EXPECT_NEAR(j["results"][0]["sequence_error"].get<double>(), 2.0 / 3, 1e-12);
  const auto refused = [&](int code, const std::vector<std::string>& more,
                           const std::string& part) {
    refuse(code, with_words(words, with_words(more, {"--min-elements", "0"})), part);
  };
  refused(1, {"--layer", "fc9=2"}, "fc9");
  refused(1, {"--feed", "h0=none"}, "no output 'none'");
  refused(1, {"--feed", "tokens=hn"}, "takes the tokens");
  refused(2, {"--feed", "h0"}, "--feed");
  write("pairs.tsv", "3 1 2\t3 2 1\n16\t2\n");
  refused(1, {}, "line 2");
  write("pairs.tsv", "3 1 2\n");
  refused(1, {}, "line 1: no reference");
  write("pairs.tsv", "");
  refused(1, {}, "no pairs");
}

TEST_F(Tasks, ControlPlays) {
  NetBuilder b;
  const ValueId x = b.input("obs", DType::f32, {-1, 4});
  b.output(b.node("MatMul", {x, b.floats({4, 2}, {0, 0, 0, 0, -1, 1, -0.3F, 0.3F})}), "q", {-1, 2});
  const std::string policy = net("policy.onnx", b.graph());
  const std::vector<std::string> words{policy,       "--task", "control", "--env", "cartpole",
                                       "--episodes", "7",      "--bits",  "8"};
  const nlohmann::json j = eval(words);
  EXPECT_EQ(j["environment"], "cartpole");
  EXPECT_EQ(j["episodes"], 7);
  EXPECT_EQ(j["seed"], 0);
  const auto& row = j["results"][0];
  EXPECT_EQ(keys(row), with(kRowKeys, {"deviation", "least", "greatest", "mean_steps"}));
  EXPECT_EQ(row["metric"], "mean_return");
  EXPECT_GE(row["value"], 50);
  EXPECT_EQ(row["value"], row["mean_steps"]);
  EXPECT_EQ(eval(words)["results"][0]["value"], row["value"]);
  refuse(1, {policy, "--task", "control", "--env", "acrobot", "--min-elements", "0"}, "6 float32");
}

// h' = x + rate h with a constant input, y = h' as the identity gives it.
Graph stream_net() {
  NetBuilder b;
  const ValueId x = b.input("x", DType::f32, {-1, 4});
  const ValueId h = b.input("h_in", DType::f32, {-1, 4});
  const ValueId rate = b.input("rate", DType::f32, {});
  const ValueId next = b.node("Add", {b.node("Mul", {h, rate}), x});
  b.output(b.node("MatMul", {next, b.floats({4, 4}, shifted_identity(4, 0, 1))}), "y", {-1, 4});
  b.output(next, "h_out", {-1, 4});
  return b.graph();
}

TEST_F(Tasks, StreamComparesAlongTheSteps) {
  const std::string model = net("stream.onnx", stream_net());
  write("x.npy", *encode_npy(tensor_of({5, 4}, random_floats(20, 1))));
  write("rate.npy", *encode_npy(tensor_of({}, {0.5F})));
  const std::vector<std::string> words{model,    "--task", "stream",  "--data", path("x.npy"),
                                       "--bits", "1,8",    "--floor", "1"};
  const auto with_rate = with_words(words, {"--constant", "rate=" + path("rate.npy")});
  const nlohmann::json j = eval(with_rate);
  EXPECT_EQ(j["steps"], 5);
  EXPECT_EQ(j["input"], "x");
  EXPECT_EQ(j["output"], "y");
  EXPECT_EQ(j["states"], "h_in <- h_out");
  ASSERT_EQ(j["results"].size(), 3u);
  EXPECT_EQ(keys(j["results"][0]), with(kRowKeys, {"cosine", "max_abs_error", "mean_abs_error"}));
  EXPECT_EQ(j["results"][0]["metric"], "rel_error");
  EXPECT_EQ(j["results"][0]["value"], 0);
  // 1 bit has no zero: the error is as large as the answer.
  EXPECT_GT(j["results"][1]["value"], 0.3);
  EXPECT_LT(j["results"][2]["value"], 0.02);
  EXPECT_EQ(eval(with_words(with_rate, {"--limit", "2"}))["steps"], 2);
  refuse(1, with_words(words, {"--min-elements", "0"}), "'rate' is neither fed nor a state");
  refuse(1, with_words(words, {"--constant", "rate=" + path("none.npy")}), "none.npy");
  refuse(2, with_words(words, {"--constant", "rate"}), "NAME=FILE");
}

TEST_F(Tasks, ClassifyReadsTheOutputThatIsNamed) {
  NetBuilder b;
  const ValueId x = b.input("x", DType::f32, {-1, 4});
  b.output(b.node("MatMul", {x, b.floats({4, 4}, shifted_identity(4, 0, 1))}), "same", {-1, 4});
  b.output(b.node("MatMul", {x, b.floats({4, 4}, shifted_identity(4, 1, 1))}), "next", {-1, 4});
  const std::string model = net("two_heads.onnx", b.graph());
  write("x.npy", *encode_npy(tensor_of({2, 4}, {1, 0, 0, 0, 0, 0, 1, 0})));
  write("y.npy", *encode_npy(integers({2}, {1, 3})));
  const std::vector<std::string> words{model,    "--data", path("x.npy"), "--labels", path("y.npy"),
                                       "--bits", "8"};
  EXPECT_EQ(eval(words)["results"][0]["value"], 0);
  EXPECT_EQ(eval(with_words(words, {"--output", "next"}))["results"][0]["value"], 1);
  refuse(2, with_words(words, {"--input", "x"}), "--input");
}

TEST_F(Tasks, EachTaskTakesItsOwnOptions) {
  const std::string model = net("lm.onnx", bigram_net(16, 4));
  refuse(2, {model, "--task", "dance"}, "--task");
  refuse(2, {model, "--task", "lm"}, "--data: --task lm needs it");
  refuse(2, {model, "--task", "lm", "--data", "x", "--data", "y"}, "takes one file");
  refuse(2, {model, "--task", "lm", "--data", "x", "--labels", "y"}, "--labels: --task lm");
  refuse(2, {model, "--task", "lm", "--data", "x", "--env", "cartpole"}, "--env");
  refuse(2, {model, "--task", "lm", "--data", "x", "--layout", "sideways"}, "--layout");
  refuse(2, {model, "--task", "lm", "--data", "x", "--streams", "0"}, "--streams");
  refuse(2, {model, "--task", "control"}, "--env: --task control needs it");
  refuse(2, {model, "--task", "control", "--env", "tetris"}, "--env");
  refuse(2, {model, "--task", "control", "--env", "cartpole", "--episodes", "0"}, "--episodes");
  refuse(2, {model, "--task", "control", "--env", "cartpole", "--data", "x"}, "--data");
  refuse(2, {model, "--task", "seq2seq", "--data", "x", "--start", "0", "--stop", "1"},
         "--decoder");
  refuse(2, {model, "--data", "x", "--labels", "y", "--streams", "2"}, "--streams");
  refuse(2, {model, "--data", "x"}, "--labels");
  refuse(2, {model, "--data", "x", "--labels", "y", "--constant", "a=b"}, "--constant");
}

}  // namespace
}  // namespace pbatch::testing
