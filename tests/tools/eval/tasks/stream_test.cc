#include "tools/eval/tasks/stream.h"

#include <gtest/gtest.h>

#include "tests/support/scratch.h"
#include "tests/support/step_networks.h"

namespace pbatch {
namespace {

using namespace pbatch::testing;

// h' = decay h + x, y = gain h': x and h [?, 2], decay [1].
Graph leaky_sum(float gain) {
  NetBuilder b;
  const ValueId x = b.input("x", DType::f32, {-1, 2});
  const ValueId h = b.input("h_in", DType::f32, {-1, 2});
  const ValueId decay = b.input("decay", DType::f32, {1});
  const ValueId next = b.node("Add", {b.node("Mul", {h, decay}), x});
  b.output(b.node("MatMul", {next, b.floats({2, 2}, {gain, 0, 0, gain})}), "y", {-1, 2});
  b.output(next, "h_out", {-1, 2});
  return b.graph();
}

class StreamTest : public Scratch {
 protected:
  Result<Session> load(const std::string& name, const Graph& graph) {
    write_onnx(graph, path(name));
    return Session::load(path(name), {.threads = 1});
  }
  Result<Stream> evaluate(const Tensor& data, const std::vector<NamedTensor>& constants,
                          StreamOptions options = {}) {
    const auto reference = load("one.onnx", leaky_sum(1));
    const auto other = load("two.onnx", leaky_sum(1.5F));
    EXPECT_TRUE(reference && other);
    const std::vector<Contender> contenders{{&*reference, Precision::f32(), {}},
                                            {&*other, Precision::f32(), {}}};
    options.timing = {.seconds = 0, .min_rounds = 1};
    Progress progress;
    return evaluate_stream(contenders, data, constants, options, progress);
  }
  const NamedTensor half_{"decay", tensor_of({1}, {0.5F})};
};

TEST_F(StreamTest, CarriesStatesAndComparesAllSteps) {
  // h: (1, 0), (0.5, 4), (2.25, 2), (1.125, 1).
  const Tensor data = tensor_of({4, 2}, {1, 0, 0, 4, 2, 0, 0, 0});
  const auto stream = evaluate(data, {half_});
  ASSERT_TRUE(stream) << stream.status().to_line();
  EXPECT_EQ(stream->steps, 4);
  EXPECT_EQ(stream->input, "x");
  EXPECT_EQ(stream->output, "y");
  EXPECT_EQ(stream->states, "h_in <- h_out");
  ASSERT_EQ(stream->rows.size(), 2u);
  EXPECT_EQ(stream->rows[0].error.rel_error, 0);
  EXPECT_EQ(stream->rows[0].error.max_abs_error, 0);
  EXPECT_NEAR(stream->rows[1].error.rel_error, 0.5, 1e-9);
  EXPECT_EQ(stream->rows[1].error.max_abs_error, 0.5 * 4);
  EXPECT_GT(stream->rows[1].cost.latency_us, 0);
}

TEST_F(StreamTest, StatesHoldWhatCameBefore) {
  // The greatest error is at the last step, where h is 1 + 0.5 + 0.25.
  const auto stream = evaluate(tensor_of({3, 1, 2}, {1, 0, 1, 0, 1, 0}), {half_});
  ASSERT_TRUE(stream) << stream.status().to_line();
  EXPECT_EQ(stream->rows[1].error.max_abs_error, 0.5 * 1.75);
  const auto cut = evaluate(tensor_of({3, 1, 2}, {1, 0, 1, 0, 1, 0}), {half_}, {.limit = 2});
  ASSERT_TRUE(cut);
  EXPECT_EQ(cut->steps, 2);
  EXPECT_EQ(cut->rows[1].error.max_abs_error, 0.5 * 1.5);
}

TEST_F(StreamTest, RefusesWhatItCannotFeed) {
  const Tensor data = tensor_of({2, 2}, {1, 2, 3, 4});
  const auto refused = [&](const Tensor& steps, const std::vector<NamedTensor>& constants,
                           const std::string& part, const StreamOptions& options = {}) {
    const auto stream = evaluate(steps, constants, options);
    ASSERT_FALSE(stream) << part;
    EXPECT_NE(stream.status().to_line().find(part), std::string::npos) << stream.status().to_line();
  };
  refused(data, {}, "'decay' is neither fed nor a state");
  refused(data, {half_, half_}, "'decay' is given twice");
  refused(data, {half_, {"x", data}}, "'x' is fed at every step");
  refused(data, {half_, {"q", data}}, "no input 'q'");
  refused(tensor_of({2, 3}, {1, 2, 3, 4, 5, 6}), {half_}, "shape [3] and fits none of the inputs");
  refused(tensor_of({0, 2}, {}), {half_}, "no steps");
  refused(tensor_of({0, 2}, {}), {half_}, "no steps",
          {.ports = {.input = "x", .output = "", .states = {}}});
  refused(data, {half_}, "no output 'z'", {.ports = {.input = "x", .output = "z", .states = {}}});
}

}  // namespace
}  // namespace pbatch
