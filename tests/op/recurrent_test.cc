// RNN, LSTM and GRU in float, through the passes and without them.
#include "tests/support/recurrent.h"

#include <gtest/gtest.h>

#include <cstring>

#include "run/program.h"
#include "run/simplify.h"
#include "tests/support/one_op.h"

namespace pbatch {
namespace {

using testing::naive_recurrent;
using testing::random_tensors;
using testing::recurrent_graph;
using testing::recurrent_inputs;
using testing::RecurrentAnswer;
using testing::RecurrentCase;
using testing::RecurrentTensors;
using testing::swapped;
using testing::tensor_of;

Result<std::vector<Tensor>> run(const Graph& graph, const std::vector<Tensor>& inputs,
                                bool passes) {
  Graph prepared = graph;
  if (passes) PBATCH_RETURN_IF_ERROR(simplify(prepared));
  PBATCH_ASSIGN_OR_RETURN(const Program program, Program::build(std::move(prepared)));
  ThreadPool pool(2);
  BufferPool buffers;
  const Precision precision = Precision::f32();
  RunContext context{pool, buffers, precision, FloatBackend::openblas};
  return program.run(context, inputs);
}

void expect_close(const Tensor& got, const Shape& shape, const std::vector<double>& want) {
  ASSERT_EQ(got.shape(), shape);
  for (std::size_t i = 0; i < want.size(); ++i) {
    ASSERT_NEAR(got.data<float>()[i], want[i], 2e-5) << "element " << i;
  }
}

// Y [T, D, B, H] -> [B, T, D, H]
std::vector<double> vectors_first(const RecurrentCase& c, const std::vector<double>& y) {
  std::vector<double> out(y.size());
  const std::int64_t D = c.directions();
  for (std::int64_t t = 0; t < c.steps; ++t) {
    for (std::int64_t d = 0; d < D; ++d) {
      for (std::int64_t b = 0; b < c.batch; ++b) {
        for (std::int64_t u = 0; u < c.hidden; ++u) {
          out[c.count(((b * c.steps + t) * D + d) * c.hidden + u)] =
              y[c.count(((t * D + d) * c.batch + b) * c.hidden + u)];
        }
      }
    }
  }
  return out;
}

std::vector<RecurrentCase> cases() {
  std::vector<RecurrentCase> all;
  for (const char* cell : {"RNN", "LSTM", "GRU"}) {
    for (const char* direction : {"forward", "reverse", "bidirectional"}) {
      for (const int layout : {0, 1}) {
        RecurrentCase c;
        c.cell = cell;
        c.direction = direction;
        c.layout = layout;
        all.push_back(c);
        c.lengths = {3, 0, 5};
        all.push_back(c);
      }
    }
    RecurrentCase bare;
    bare.cell = cell;
    bare.biases = bare.states = false;
    bare.hidden = 33;
    all.push_back(bare);
    bare.clip = 0.4F;
    bare.batch = 1;
    bare.hidden = 16;
    all.push_back(bare);
  }
  RecurrentCase lstm;
  lstm.peepholes = true;
  lstm.direction = "bidirectional";
  all.push_back(lstm);
  lstm.input_forget = true;
  all.push_back(lstm);
  for (const char* direction : {"forward", "bidirectional"}) {
    RecurrentCase gru;
    gru.cell = "GRU";
    gru.direction = direction;
    gru.linear_before_reset = true;
    all.push_back(gru);
    gru.lengths = {1, 5, 2};
    gru.hidden = 48;
    all.push_back(gru);
  }
  return all;
}

class RecurrentTest : public ::testing::TestWithParam<RecurrentCase> {};

TEST_P(RecurrentTest, IsWhatTheEquationsSay) {
  const RecurrentCase& c = GetParam();
  const RecurrentTensors t = random_tensors(c);
  const RecurrentAnswer want = naive_recurrent(c, t);
  const Graph graph = recurrent_graph(c, t);
  for (const bool passes : {false, true}) {
    const Result<std::vector<Tensor>> got = run(graph, recurrent_inputs(c, t), passes);
    ASSERT_TRUE(got) << got.status().to_line();
    const std::int64_t D = c.directions();
    if (c.layout == 0) {
      expect_close((*got)[0], {c.steps, D, c.batch, c.hidden}, want.y);
      expect_close((*got)[1], {D, c.batch, c.hidden}, want.y_h);
      if (c.cell == "LSTM") expect_close((*got)[2], {D, c.batch, c.hidden}, want.y_c);
    } else {
      const Shape state{c.batch, D, c.hidden};
      expect_close((*got)[0], {c.batch, c.steps, D, c.hidden}, vectors_first(c, want.y));
      expect_close((*got)[1], state, swapped(want.y_h, D, c.batch));
      if (c.cell == "LSTM") expect_close((*got)[2], state, swapped(want.y_c, D, c.batch));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, RecurrentTest, ::testing::ValuesIn(cases()), [](const auto& test) {
  const RecurrentCase& c = test.param;
  return c.cell + "_" + c.direction + "_" + std::to_string(test.index);
});

TEST(Recurrent, WeightsThatAreConstantAreSplit) {
  RecurrentCase c;
  c.direction = "bidirectional";
  Graph graph = recurrent_graph(c, random_tensors(c));
  ASSERT_TRUE(simplify(graph).is_ok());
  std::vector<std::string> names;
  for (const Node& node : graph.nodes) names.push_back(node.op_type + " " + node.name);
  EXPECT_EQ(names, (std::vector<std::string>{
                       "Linear cell/input", "Recurrent cell/recurrent", "Linear cell/input_reverse",
                       "Recurrent cell/recurrent_reverse", "Concat cell/join0", "Concat cell/join1",
                       "Concat cell/join2"}));
}

// State in, state out: step by step, the same bits.
TEST(Recurrent, StreamsAsItRunsAtOnce) {
  for (const char* cell : {"RNN", "LSTM", "GRU"}) {
    RecurrentCase c;
    c.cell = cell;
    RecurrentTensors t = random_tensors(c);
    const Graph graph = recurrent_graph(c, t);
    const auto whole = run(graph, recurrent_inputs(c, t), true);
    ASSERT_TRUE(whole) << whole.status().to_line();
    std::vector<Tensor> inputs = recurrent_inputs(c, t);
    const auto step_floats = static_cast<std::size_t>(c.batch * c.features);
    for (std::int64_t s = 0; s < c.steps; ++s) {
      const auto from = t.x.begin() + s * static_cast<std::int64_t>(step_floats);
      inputs[0] = tensor_of({1, c.batch, c.features},
                            {from, from + static_cast<std::int64_t>(step_floats)});
      const auto step = run(graph, inputs, true);
      ASSERT_TRUE(step) << step.status().to_line();
      EXPECT_EQ(std::memcmp((*step)[0].raw(), (*whole)[0].data<float>() + s * c.batch * c.hidden,
                            (*step)[0].bytes()),
                0)
          << cell << " step " << s;
      for (std::size_t i = 1; i < inputs.size(); ++i) inputs[i] = (*step)[i];
    }
    EXPECT_EQ(std::memcmp(inputs[1].raw(), (*whole)[1].raw(), inputs[1].bytes()), 0);
  }
}

// Functions beside sigmoid and tanh, with numbers of their own for each direction.
TEST(Recurrent, OtherActivationsByTheirFormulas) {
  RecurrentCase c;
  c.cell = "RNN";
  c.direction = "bidirectional";
  c.steps = 1;
  c.states = false;
  const RecurrentTensors t = random_tensors(c);
  Graph graph = recurrent_graph(c, t);
  const auto with = [&](std::vector<std::string> names, std::vector<float> alpha,
                        std::vector<float> beta) {
    graph.nodes[0].attributes["activations"] = std::move(names);
    graph.nodes[0].attributes["activation_alpha"] = std::move(alpha);
    graph.nodes[0].attributes["activation_beta"] = std::move(beta);
    const auto got = run(graph, recurrent_inputs(c, t), true);
    EXPECT_TRUE(got) << got.status().to_line();
    return got ? testing::values_of((*got)[0]) : std::vector<float>{};
  };
  const std::vector<float> x = with({"Affine", "Affine"}, {1, 1}, {0, 0});
  ASSERT_FALSE(x.empty());
  using Formula = double (*)(double);
  const std::pair<const char*, Formula> functions[] = {
      {"Relu", [](double v) { return std::max(v, 0.0); }},
      {"Tanh", [](double v) { return std::tanh(v); }},
      {"sigmoid", [](double v) { return 1 / (1 + std::exp(-v)); }},
      {"Softsign", [](double v) { return v / (1 + std::fabs(v)); }},
      {"Softplus", [](double v) { return std::log(1 + std::exp(v)); }},
      {"HardSigmoid", [](double v) { return std::clamp(0.2 * v + 0.5, 0.0, 1.0); }},
      {"LeakyRelu", [](double v) { return v < 0 ? 0.01 * v : v; }},
      {"ThresholdedRelu", [](double v) { return v > 1 ? v : 0; }},
      {"Elu", [](double v) { return v < 0 ? std::exp(v) - 1 : v; }},
      {"ScaledTanh", [](double v) { return std::tanh(v); }},
  };
  for (const auto& [name, formula] : functions) {
    const std::vector<float> y = with({name, name}, {}, {});
    ASSERT_EQ(y.size(), x.size()) << name;
    for (std::size_t i = 0; i < x.size(); ++i) ASSERT_NEAR(y[i], formula(x[i]), 2e-6) << name;
  }
  // [T, D, B, H]: the first half is forward's.
  const std::vector<float> y = with({"Affine", "ScaledTanh"}, {2, 3}, {1, 0.5});
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double v = x[i];
    ASSERT_NEAR(y[i], i < x.size() / 2 ? 2 * v + 1 : 3 * std::tanh(0.5 * v), 5e-6);
  }
}

class RecurrentErrors : public ::testing::Test {
 protected:
  std::string error() {
    const auto got =
        run(recurrent_graph(c, t), inputs.empty() ? recurrent_inputs(c, t) : inputs, true);
    EXPECT_FALSE(got);
    return got ? "" : got.status().to_line();
  }
  std::string error_with(const char* attribute, Attribute value) {
    Graph graph = recurrent_graph(c, t);
    graph.nodes[0].attributes[attribute] = std::move(value);
    const auto got = run(graph, recurrent_inputs(c, t), true);
    EXPECT_FALSE(got) << attribute;
    return got ? "" : got.status().to_line();
  }
  static bool has(const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
  }

  RecurrentCase c;
  RecurrentTensors t = random_tensors(c);
  std::vector<Tensor> inputs;
};

TEST_F(RecurrentErrors, OfARun) {
  c.lengths = {5, 6, 1};
  EXPECT_PRED2(has, error(), "sequence_lens holds 6, but the input has 5 steps");
  c.lengths = {5, -1, 1};
  EXPECT_PRED2(has, error(), "sequence_lens holds -1");
  c.lengths.clear();
  inputs = recurrent_inputs(c, t);
  inputs[1] = tensor_of({1, 3, 19}, std::vector<float>(57, 0));
  EXPECT_PRED2(has, error(), "initial_h is [1, 3, 19], not [1, 3, 20]");
  inputs = recurrent_inputs(c, t);
  inputs[0] = tensor_of({5, 3, 8}, std::vector<float>(120, 0));
  EXPECT_PRED2(has, error(), "cell/input");
}

TEST_F(RecurrentErrors, OfANode) {
  using Names = std::vector<std::string>;
  EXPECT_PRED2(has, error_with("activations", Names{"Sigmoid", "Tanh", "Gauss"}),
               "unknown activation function 'Gauss'");
  EXPECT_PRED2(has, error_with("activations", Names{"Sigmoid"}), "1 activation functions");
  EXPECT_PRED2(has, error_with("hidden_size", std::int64_t{19}), "W is");
  EXPECT_PRED2(has, error_with("hidden_size", std::int64_t{-1}), "hidden_size of -1");
  EXPECT_PRED2(has, error_with("direction", std::string("backward")), "'backward'");
  EXPECT_PRED2(has, error_with("layout", std::int64_t{2}), "layout 2");
  EXPECT_PRED2(has, error_with("clip", -1.0F), "clip");
}

}  // namespace
}  // namespace pbatch
