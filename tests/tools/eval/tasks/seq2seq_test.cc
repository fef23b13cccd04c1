#include "tools/eval/tasks/seq2seq.h"

#include <gtest/gtest.h>

#include "tests/support/scratch.h"
#include "tests/support/step_networks.h"

namespace pbatch {
namespace {

using namespace pbatch::testing;

class Seq2SeqTest : public Scratch {
 protected:
  Result<Seq2Seq> evaluate(const Graph& encoder, const Graph& decoder,
                           const std::vector<SequencePair>& pairs, Seq2SeqOptions options = {}) {
    write_onnx(encoder, path("encoder.onnx"));
    write_onnx(decoder, path("decoder.onnx"));
    const auto e = Session::load(path("encoder.onnx"), {.threads = 1});
    const auto d = Session::load(path("decoder.onnx"), {.threads = 1});
    EXPECT_TRUE(e && d);
    const Contender ce{&*e, Precision::f32(), {}}, cd{&*d, Precision::f32(), {}};
    options.start = 1;
    options.stop = 0;
    options.timing = {.seconds = 0, .min_rounds = 1};
    Progress progress;
    return evaluate_seq2seq({&ce, 1}, {&cd, 1}, pairs, options, progress);
  }
};

TEST_F(Seq2SeqTest, DecodesFromTheEncodersState) {
  // The answer to a source is a countdown from its greatest token.
  const std::vector<SequencePair> pairs{
      {{3, 1, 2}, {{3, 2, 1}}, 1},          // right
      {{2}, {{2}}, 2},                      // one token too many
      {{1, 4}, {{4, 4, 4, 4}}, 3},          // three substitutions
      {{5, 0, 5}, {{1}, {5, 4, 2, 1}}, 4},  // one token too many for the nearer reference
  };
  const auto result = evaluate(greatest_encoder(6), countdown_decoder(6), pairs);
  ASSERT_TRUE(result) << result.status().to_line();
  EXPECT_DOUBLE_EQ(result->rows[0].token_error, (0.0 + 1 + 3 + 1) / (3 + 1 + 4 + 4));
  EXPECT_DOUBLE_EQ(result->rows[0].sequence_error, 0.75);
  EXPECT_EQ(result->feeds, "h0 <- hn");
  EXPECT_EQ(result->states, "h0 <- hn");
  EXPECT_EQ(result->vocabulary, 6);
  EXPECT_GT(result->rows[0].cost.latency_us, 0);
}

TEST_F(Seq2SeqTest, StopsAnAnswerThatNeverEnds) {
  Seq2SeqOptions options;
  options.max_length = 2;
  const auto result =
      evaluate(greatest_encoder(6), countdown_decoder(6), {{{5}, {{5, 4, 3, 2, 1}}, 1}}, options);
  ASSERT_TRUE(result) << result.status().to_line();
  EXPECT_DOUBLE_EQ(result->rows[0].token_error, 3.0 / 5);
}

TEST_F(Seq2SeqTest, ErrorsNameTheLine) {
  const Graph encoder = greatest_encoder(6), decoder = countdown_decoder(6);
  const auto line_of = [&](const std::vector<SequencePair>& pairs) {
    const auto result = evaluate(encoder, decoder, pairs);
    EXPECT_FALSE(result);
    return result.status().message();
  };
  EXPECT_EQ(line_of({{{3}, {{3}}, 1}, {{3}, {{6}}, 9}}).rfind("line 9: token 6", 0), 0U);
  EXPECT_EQ(line_of({{{3}, {{3}}, 1}, {{3}, {{0}}, 9}}).rfind("line 9: token 0", 0), 0U);
  EXPECT_EQ(line_of({{{3}, {{3}}, 1}, {{6}, {{1}}, 4}}).rfind("line 4: ", 0), 0U);
  EXPECT_NE(line_of({{{3}, {{}}, 1}}).find("empty"), std::string::npos);
}

TEST_F(Seq2SeqTest, TakesTheFeedThatItIsTold) {
  const std::vector<SequencePair> pairs{{{3}, {{3, 2, 1}}, 1}};
  NetBuilder b;  // two outputs that could be the state; the right one has the wrong name
  const ValueId tokens = b.input("tokens", DType::i64, {1, -1});
  const ValueId greatest =
      b.node("ReduceMax", {tokens},
             {{"axes", std::vector<std::int64_t>{1}}, {"keepdims", std::int64_t{0}}});
  b.output(b.node("Gather", {b.floats({6, 6}, shifted_identity(6, 0, 1)), greatest}), "p", {1, 6});
  b.output(b.node("Gather", {b.floats({6, 6}, shifted_identity(6, 0, 0)), greatest}), "q", {1, 6});
  Seq2SeqOptions options;
  options.feeds = {{"h0", "p"}};
  const auto right = evaluate(b.graph(), countdown_decoder(6), pairs, options);
  ASSERT_TRUE(right) << right.status().to_line();
  EXPECT_EQ(right->rows[0].token_error, 0);
  options.feeds = {{"h0", "r"}};
  EXPECT_EQ(evaluate(b.graph(), countdown_decoder(6), pairs, options).status().code(),
            ErrorCode::not_found);
}

}  // namespace
}  // namespace pbatch
