#include "tools/eval/tasks/lm.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/scratch.h"
#include "tests/support/step_networks.h"

namespace pbatch {
namespace {

using namespace pbatch::testing;

class LmTest : public Scratch {
 protected:
  const Session& load(const Graph& graph) {
    write_onnx(graph, path("net.onnx"));
    auto session = Session::load(path("net.onnx"), {.threads = 1});
    EXPECT_TRUE(session) << session.status().to_line();
    sessions_.push_back(std::make_unique<Session>(std::move(session).value()));
    return *sessions_.back();
  }
  Result<LanguageModel> evaluate(const Graph& graph, const TokenStreams& data,
                                 LmOptions options = {}) {
    const Contender c{&load(graph), Precision::f32(), {}};
    options.timing = {.seconds = 0, .min_rounds = 1};
    Progress progress;
    return evaluate_lm({&c, 1}, data, options, progress);
  }
  std::vector<std::unique_ptr<Session>> sessions_;
};

TokenStreams streams_of(std::vector<std::vector<std::int64_t>> rows) {
  TokenStreams data;
  data.streams = static_cast<std::int64_t>(rows.size());
  data.length = static_cast<std::int64_t>(rows[0].size());
  for (const auto& row : rows) data.tokens.insert(data.tokens.end(), row.begin(), row.end());
  return data;
}

TEST_F(LmTest, AUniformModelHasThePerplexityOfItsVocabulary) {
  const auto lm = evaluate(bigram_net(37, 0), streams_of({{0, 5, 36, 2, 2, 9}}));
  ASSERT_TRUE(lm) << lm.status().to_line();
  EXPECT_NEAR(lm->rows[0].perplexity, 37, 1e-5);
  EXPECT_NEAR(lm->rows[0].bits_per_token, std::log2(37), 1e-7);
  EXPECT_EQ(lm->vocabulary, 37);
  EXPECT_EQ(lm->tokens, 5);
  EXPECT_EQ(lm->states, "none");
  EXPECT_GT(lm->rows[0].cost.latency_us, 0);
}

TEST_F(LmTest, KnownProbabilities) {
  // The right token has e^2 / (e^2 + 9); of the four predictions the last is wrong: 1 / (e^2 + 9).
  const TokenStreams data = streams_of({{7, 8, 9, 0, 5}});
  const double e2 = std::exp(2.0);
  const double bits = (3 * std::log2((e2 + 9) / e2) + std::log2(e2 + 9)) / 4;
  const auto logits = evaluate(bigram_net(10, 2), data);
  ASSERT_TRUE(logits) << logits.status().to_line();
  EXPECT_NEAR(logits->rows[0].bits_per_token, bits, 1e-6);
  EXPECT_NEAR(logits->rows[0].perplexity, std::exp2(bits), 1e-5);
  EXPECT_FALSE(logits->probabilities);
  const auto softmax = evaluate(bigram_net(10, 2, /*softmax=*/true), data);
  ASSERT_TRUE(softmax) << softmax.status().to_line();
  EXPECT_NEAR(softmax->rows[0].bits_per_token, bits, 1e-6);
  EXPECT_TRUE(softmax->probabilities);
}

TEST_F(LmTest, StatesGoFromRunToRunAndStartAnewWithEachStream) {
  // Each token is the one before the last plus 1: only a state knows it.
  const TokenStreams data = streams_of({{0, 3, 1, 4, 2, 0}, {4, 4, 0, 0, 1, 1}});
  const auto lm = evaluate(memory_net(5, 3), data);
  ASSERT_TRUE(lm) << lm.status().to_line();
  const double e3 = std::exp(3.0);
  const double bits = (2 * std::log2(5) + 8 * std::log2((e3 + 4) / e3)) / 10;
  EXPECT_NEAR(lm->rows[0].bits_per_token, bits, 1e-6);
  EXPECT_EQ(lm->states, "h_in <- h_out");
  EXPECT_EQ(lm->steps, 1);
  EXPECT_EQ(lm->layout, "[batch, time]");
}

// What running_sum_net predicts, by its definition.
double running_sum_bits(const TokenStreams& data, std::int64_t size, std::int64_t width,
                        std::int64_t steps_of_memory) {
  const auto count = static_cast<std::size_t>(size * width);
  const std::vector<float> e = random_floats(count, 1), w = random_floats(count, 2);
  double bits = 0;
  for (std::int64_t s = 0; s < data.streams; ++s) {
    std::vector<double> h(static_cast<std::size_t>(width));
    for (std::int64_t p = 0; p + 1 < data.length; ++p) {
      if (p % steps_of_memory == 0) std::fill(h.begin(), h.end(), 0.0);
      std::vector<double> logits(static_cast<std::size_t>(size));
      for (std::int64_t i = 0; i < width; ++i) {
        const auto at = static_cast<std::size_t>(i);
        h[at] += e[static_cast<std::size_t>(data.at(s, p) * width + i)];
        for (std::int64_t v = 0; v < size; ++v) {
          logits[static_cast<std::size_t>(v)] += h[at] * w[static_cast<std::size_t>(i * size + v)];
        }
      }
      double sum = 0;
      for (const double v : logits) sum += std::exp(v);
      bits += std::log2(sum) - logits[static_cast<std::size_t>(data.at(s, p + 1))] / std::log(2.0);
    }
  }
  return bits / static_cast<double>(data.streams * (data.length - 1));
}

TEST_F(LmTest, EveryLayoutAndNumberOfStepsGivesTheSame) {
  TokenStreams data{{}, 3, 12};
  for (int i = 0; i < 36; ++i) data.tokens.push_back(i * 7 % 6);
  const double bits = running_sum_bits(data, 6, 4, /*steps_of_memory=*/1000);
  for (const bool time_first : {false, true}) {
    for (const std::int64_t steps : {0, 1, 4, 5, 11, 100}) {
      LmOptions options;
      options.steps = steps;
      const auto lm = evaluate(running_sum_net(6, 4, time_first, true), data, options);
      ASSERT_TRUE(lm) << lm.status().to_line();
      EXPECT_NEAR(lm->rows[0].bits_per_token, bits, 1e-5) << time_first << steps;
      EXPECT_EQ(lm->layout, time_first ? "[time, batch]" : "[batch, time]");
      EXPECT_EQ(lm->states, "h0 <- hn");
    }
  }
}

TEST_F(LmTest, WarmupIsReadAndNotCounted) {
  // Wrong are the tokens at positions 1, 3 and 6.
  const TokenStreams data = streams_of({{0, 3, 4, 0, 1, 2, 9, 0}});
  const double e2 = std::exp(2.0), right = std::log2((e2 + 9) / e2), wrong = std::log2(e2 + 9);
  for (const std::int64_t steps : {1, 3, 64}) {
    const auto bits = [&](std::int64_t warmup) {
      LmOptions options;
      options.warmup = warmup;
      options.steps = steps;
      const auto lm = evaluate(bigram_net(10, 2), data, options);
      EXPECT_TRUE(lm) << lm.status().to_line();
      EXPECT_EQ(lm->tokens, 8 - std::max<std::int64_t>(warmup, 1));
      return lm->rows[0].bits_per_token;
    };
    EXPECT_NEAR(bits(1), (4 * right + 3 * wrong) / 7, 1e-6);
    EXPECT_NEAR(bits(2), (4 * right + 2 * wrong) / 6, 1e-6);
    EXPECT_NEAR(bits(4), (3 * right + wrong) / 4, 1e-6);
    EXPECT_NEAR(bits(7), right, 1e-6);
  }
  LmOptions all;
  all.warmup = 8;
  EXPECT_FALSE(evaluate(bigram_net(10, 2), data, all));
}

TEST_F(LmTest, AsksForTheLayoutWhereBothRun) {
  const TokenStreams data = streams_of({{0, 1, 2, 3, 0, 2, 1}, {3, 3, 2, 1, 1, 0, 2}});
  const Graph net = running_sum_net(4, 3, /*time_first=*/true, /*state=*/false);
  const auto unclear = evaluate(net, data);
  ASSERT_FALSE(unclear);
  EXPECT_NE(unclear.status().remedy().find("--layout"), std::string::npos);
  LmOptions told;
  told.first_axis = FirstAxis::time;
  told.steps = 3;
  const auto lm = evaluate(net, data, told);
  ASSERT_TRUE(lm) << lm.status().to_line();
  EXPECT_NEAR(lm->rows[0].bits_per_token, running_sum_bits(data, 4, 3, 3), 1e-5);
}

TEST_F(LmTest, RefusesTokensOfAnotherVocabulary) {
  const auto high = evaluate(bigram_net(5, 1), streams_of({{0, 1}, {4, 5}}));
  ASSERT_FALSE(high);
  EXPECT_NE(high.status().message().find("token 5 at position 1 of stream 1"), std::string::npos)
      << high.status().to_line();
  EXPECT_FALSE(evaluate(bigram_net(5, 1), streams_of({{0, -1}})));
}

TEST_F(LmTest, AsksForStatesThatItCannotFind) {
  const TokenStreams data = streams_of({{0, 1, 2}});
  // An output of another shape than the state's.
  NetBuilder b;
  const ValueId tokens = b.input("tokens", DType::i64, {-1, 1});
  const ValueId h = b.input("memory", DType::f32, {-1, 3});
  const ValueId x = b.node("Gather", {b.floats({4, 3}, random_floats(12, 1)), tokens});
  const ValueId y = b.node("Add", {b.node("Reshape", {x, b.integers({2}, {-1, 3})}), h});
  b.output(b.node("MatMul", {y, b.floats({3, 4}, random_floats(12, 2))}), "logits", {-1, 4});
  const auto lm = evaluate(b.graph(), data);
  ASSERT_FALSE(lm);
  EXPECT_NE(lm.status().remedy().find("--state memory=OUTPUT"), std::string::npos)
      << lm.status().to_line();
  // Names that say nothing, and two outputs of one shape: told, it runs.
  const Graph net = memory_net(4, 1, "a", "b");
  EXPECT_FALSE(evaluate(net, data));
  LmOptions told;
  told.ports.states = {{"a", "b"}};
  EXPECT_TRUE(evaluate(net, data, told));
  told.ports.states = {{"a", "logits"}};
  told.ports.output = "logits";
  EXPECT_TRUE(evaluate(net, data, told));
  told.ports.states = {{"a", "c"}};
  EXPECT_EQ(evaluate(net, data, told).status().code(), ErrorCode::not_found);
}

}  // namespace
}  // namespace pbatch
