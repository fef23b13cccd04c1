// RNN, LSTM and GRU as bit-layers: ONNX's equations in double precision on the weights that the
// planes stand for and on vectors rounded as the quantizer rounds them; and the same bits however
// the work is split.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string_view>

#include "cost/builtin_costs.h"
#include "isa/isa.h"
#include "layout/bit_matrix.h"
#include "pbatch/quantize.h"
#include "pbatch/session.h"
#include "quantize/quantize_graph.h"
#include "run/program.h"
#include "run/simplify.h"
#include "tests/quantize/naive_decoder.h"
#include "tests/support/one_op.h"
#include "tests/support/recurrent.h"

namespace pbatch {
namespace {

using testing::naive_recurrent;
using testing::random_tensors;
using testing::recurrent_graph;
using testing::recurrent_inputs;
using testing::RecurrentAnswer;
using testing::RecurrentCase;
using testing::RecurrentTensors;
using testing::tensor_of;

constexpr int kRecurrentPlanes = 11;

Graph quantized_recurrent(const RecurrentCase& c, const RecurrentTensors& t) {
  Graph graph = recurrent_graph(c, t);
  EXPECT_TRUE(simplify(graph));
  const auto reports = quantize_graph(
      graph, {.planes = kRecurrentPlanes, .group = 32, .min_elements = 1, .outliers = 0.001});
  EXPECT_TRUE(reports) << reports.status().to_line();
  return graph;
}

Program recurrent_program(const RecurrentCase& c, const RecurrentTensors& t) {
  Result<Program> program = Program::build(quantized_recurrent(c, t));
  EXPECT_TRUE(program) << program.status().to_line();
  return std::move(program).value();
}

Result<std::vector<Tensor>> run_bits(const Program& program, const std::vector<Tensor>& inputs,
                                     const Precision& precision, int threads = 1) {
  ThreadPool pool(threads);
  BufferPool buffers;
  RunContext context{pool, buffers, precision, FloatBackend::openblas};
  return program.run(context, inputs);
}

// Where ONNX's row (gate, unit) stands, by the text of kernel/cells.h.
std::int64_t tiled_row(const RecurrentCase& c, std::int64_t gate, std::int64_t unit) {
  const std::int64_t tiles = (c.hidden + 15) / 16, tile = unit / 16;
  if (c.cell == "GRU" && !c.linear_before_reset) {
    return 16 * (gate == 2 ? 2 * tiles + tile : 2 * tile + gate) + unit % 16;
  }
  return 16 * (c.gates() * tile + gate) + unit % 16;
}

const BitMatrix& matrix_of(const Program& program, std::string_view node) {
  for (std::size_t i = 0; i < program.size(); ++i) {
    if (program.node(i).name == node) return *program.node(i).matrix;
  }
  ADD_FAILURE() << "no node " << node;
  std::abort();
}

// The weights that the planes stand for, in ONNX's order.
RecurrentTensors decoded(const RecurrentCase& c, const RecurrentTensors& t, const Program& program,
                         int input_bits, int recurrent_bits) {
  RecurrentTensors made = t;
  std::size_t w = 0, r = 0;
  for (int d = 0; d < c.directions(); ++d) {
    const std::string suffix = d == 1 ? "_reverse" : "";
    const BitMatrix& of_w = matrix_of(program, "cell/input" + suffix);
    const BitMatrix& of_r = matrix_of(program, "cell/recurrent" + suffix);
    for (std::int64_t g = 0; g < c.gates(); ++g) {
      for (std::int64_t u = 0; u < c.hidden; ++u) {
        const std::int64_t row = tiled_row(c, g, u);
        for (std::int64_t i = 0; i < c.features; ++i) {
          made.w[w++] = static_cast<float>(testing::decode_weight(of_w, input_bits, row, i));
        }
        for (std::int64_t i = 0; i < c.hidden; ++i) {
          made.r[r++] = static_cast<float>(testing::decode_weight(of_r, recurrent_bits, row, i));
        }
      }
    }
  }
  return made;
}

// By the text of kernel/kernel.h.
std::vector<double> as_quantized(std::vector<double> v, int activation_bits) {
  const double most = activation_bits == 8 ? 127 : activation_bits == 16 ? 32639 : 1 << 29;
  double largest = 0;
  for (const double x : v) largest = std::max(largest, std::fabs(x));
  if (largest == 0) return v;
  for (double& x : v) x = std::nearbyint(x * (most / largest)) * largest / most;
  return v;
}

// States differ in the last bits of a float, so that now and then one of 16 bits rounds the other
// way: a step of 3e-5, times a few weights.
constexpr double kRecurrentTolerance = 2e-4;

void expect_bits_close(const Tensor& got, const std::vector<double>& want,
                       const std::string& what) {
  ASSERT_EQ(static_cast<std::size_t>(got.size()), want.size()) << what;
  for (std::size_t i = 0; i < want.size(); ++i) {
    ASSERT_NEAR(got.data<float>()[i], want[i], kRecurrentTolerance) << what << " element " << i;
  }
}

bool same_recurrent_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
}

std::vector<RecurrentCase> cells() {
  std::vector<RecurrentCase> all(4);
  all[0].cell = "RNN";
  all[1].peepholes = true;
  all[2].cell = all[3].cell = "GRU";
  all[3].linear_before_reset = true;
  return all;
}

std::vector<RecurrentCase> bit_recurrent_cases() {
  std::vector<RecurrentCase> all;
  for (RecurrentCase c : cells()) {
    c.features = 40;
    for (const char* direction : {"forward", "reverse", "bidirectional"}) {
      c.direction = direction;
      c.lengths.clear();
      c.hidden = 37;
      all.push_back(c);
      c.lengths = {3, 0, 5};
      c.hidden = 32;
      all.push_back(c);
    }
  }
  return all;
}

class BitRecurrentTest : public ::testing::TestWithParam<RecurrentCase> {};

TEST_P(BitRecurrentTest, IsWhatTheEquationsSayOfThePlanes) {
  const RecurrentCase& c = GetParam();
  const RecurrentTensors t = random_tensors(c);
  const Program program = recurrent_program(c, t);
  for (const LayerPrecision p : {LayerPrecision{1, 16}, LayerPrecision{2, 8}, LayerPrecision{4, 16},
                                 LayerPrecision{11, 32}, LayerPrecision{32, 32}}) {
    const int width = std::min(p.weight_bits, kRecurrentPlanes);
    const RecurrentAnswer want =
        naive_recurrent(c, decoded(c, t, program, width, width), [&](std::vector<double> v) {
          return p.weight_bits == 32 ? v : as_quantized(std::move(v), p.activation_bits);
        });
    const auto got = run_bits(program, recurrent_inputs(c, t), {p, {}});
    ASSERT_TRUE(got) << got.status().to_line();
    const std::string bits =
        std::to_string(p.weight_bits) + "," + std::to_string(p.activation_bits);
    expect_bits_close((*got)[0], want.y, bits + " Y");
    expect_bits_close((*got)[1], want.y_h, bits + " Y_h");
    if (c.cell == "LSTM") expect_bits_close((*got)[2], want.y_c, bits + " Y_c");
    if (HasFatalFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, BitRecurrentTest, ::testing::ValuesIn(bit_recurrent_cases()),
                         [](const auto& test) {
                           const RecurrentCase& c = test.param;
                           return c.cell + "_" + c.direction + "_" + std::to_string(test.index);
                         });

// Large enough to be split among threads.
class BitRecurrentBits : public ::testing::TestWithParam<RecurrentCase> {
 protected:
  void SetUp() override {
    c_ = GetParam();
    c_.hidden = 260;
    c_.features = 33;
    t_ = random_tensors(c_);
    for (std::size_t i = 100; i < t_.r.size(); i += 2003) t_.r[i] *= 20;
    program_.emplace(recurrent_program(c_, t_));
    whole_ = outputs(recurrent_inputs(c_, t_));
  }
  std::vector<Tensor> outputs(const std::vector<Tensor>& inputs, int threads = 1) {
    const auto got = run_bits(*program_, inputs, precision_, threads);
    EXPECT_TRUE(got) << got.status().to_line();
    return got ? *got : std::vector<Tensor>(3);
  }
  void expect_whole(const std::vector<Tensor>& got, const std::string& what) {
    for (std::size_t i = 0; i < whole_.size(); ++i) {
      EXPECT_TRUE(same_recurrent_bits(got[i], whole_[i])) << what << ", output " << i;
    }
  }

  RecurrentCase c_;
  RecurrentTensors t_;
  Precision precision_{{4, 16}, {{"cell/recurrent", {3, 8}}}};
  std::optional<Program> program_;
  std::vector<Tensor> whole_;
};

TEST_P(BitRecurrentBits, ThreadsDoNotMatter) {
  for (const int threads : {2, 3}) {
    expect_whole(outputs(recurrent_inputs(c_, t_), threads), std::to_string(threads) + " threads");
  }
}

TEST_P(BitRecurrentBits, KernelsDoNotMatter) {
  for (const BitKernel& kernel : all_kernels()) {
    if (!isa_runs_here(kernel.isa) || kernel.isa == Isa::generic) continue;
    program_->choose_kernels_by({kernel.isa, builtin_costs(kernel.isa), 2});
    expect_whole(outputs(recurrent_inputs(c_, t_), 2), isa_name(kernel.isa));
  }
  program_->choose_kernels_by({Isa::generic, builtin_costs(Isa::generic), 2});
  expect_whole(outputs(recurrent_inputs(c_, t_), 2), "generic");
}

TEST_P(BitRecurrentBits, StreamsAsItRunsAtOnce) {
  std::vector<Tensor> inputs = recurrent_inputs(c_, t_);
  const std::int64_t vectors = c_.batch * c_.features, states = c_.batch * c_.hidden;
  for (std::int64_t s = 0; s < c_.steps; ++s) {
    const auto from = t_.x.begin() + s * vectors;
    inputs[0] = tensor_of({1, c_.batch, c_.features}, {from, from + vectors});
    const std::vector<Tensor> step = outputs(inputs, 2);
    EXPECT_EQ(std::memcmp(step[0].raw(), whole_[0].data<float>() + s * states, step[0].bytes()), 0)
        << "step " << s;
    for (std::size_t i = 1; i < inputs.size(); ++i) inputs[i] = step[i];
  }
  for (std::size_t i = 1; i < inputs.size(); ++i)
    EXPECT_TRUE(same_recurrent_bits(inputs[i], whole_[i]));
}

TEST_P(BitRecurrentBits, VectorsDoNotKnowOfEachOther) {
  for (std::int64_t b = 0; b < c_.batch; ++b) {
    // One vector of [rows][batch][width].
    const auto alone = [&](const Tensor& all, std::int64_t rows, std::int64_t width) {
      std::vector<float> v;
      for (std::int64_t r = 0; r < rows; ++r) {
        const float* const from = all.data<float>() + (r * c_.batch + b) * width;
        v.insert(v.end(), from, from + width);
      }
      return tensor_of({rows, 1, width}, v);
    };
    std::vector<Tensor> inputs = recurrent_inputs(c_, t_);
    inputs[0] = alone(inputs[0], c_.steps, c_.features);
    for (std::size_t i = 1; i < inputs.size(); ++i) inputs[i] = alone(inputs[i], 1, c_.hidden);
    const std::vector<Tensor> got = outputs(inputs);
    EXPECT_EQ(testing::values_of(got[0]),
              testing::values_of(alone(whole_[0], c_.steps, c_.hidden)));
    EXPECT_EQ(testing::values_of(got[1]), testing::values_of(alone(whole_[1], 1, c_.hidden)));
  }
}

INSTANTIATE_TEST_SUITE_P(Cells, BitRecurrentBits, ::testing::ValuesIn(cells()),
                         [](const auto& test) {
                           return test.param.cell + "_" + std::to_string(test.index);
                         });

TEST(BitRecurrent, EveryMatrixHasAPrecisionOfItsOwn) {
  RecurrentCase c;
  c.features = c.hidden = 32;
  const RecurrentTensors t = random_tensors(c);
  const Program program = recurrent_program(c, t);
  for (const auto& [input_bits, recurrent_bits] : {std::pair{2, 9}, {10, 1}}) {
    Precision p = Precision::bits(5, 32);
    p.layers["cell/input"] = {input_bits, 32};
    p.layers["cell/recurrent"] = {recurrent_bits, 32};
    const RecurrentAnswer want =
        naive_recurrent(c, decoded(c, t, program, input_bits, recurrent_bits),
                        [](std::vector<double> v) { return as_quantized(std::move(v), 32); });
    const auto got = run_bits(program, recurrent_inputs(c, t), p);
    ASSERT_TRUE(got) << got.status().to_line();
    expect_bits_close((*got)[0], want.y, "Y");
  }
}

// Steps that finish early write new states while others still read the old ones.
TEST(BitRecurrent, OutliersTakeTheStatesBeforeTheStep) {
  for (RecurrentCase c : cells()) {
    c.features = c.hidden = 64;
    RecurrentTensors t = random_tensors(c);
    for (std::size_t i = 5; i < t.r.size(); i += 2001) t.r[i] = i % 2 == 0 ? 6.0F : -6.0F;
    const Program program = recurrent_program(c, t);
    EXPECT_FALSE(matrix_of(program, "cell/recurrent").outlier_places.empty()) << c.cell;
    for (const LayerPrecision p : {LayerPrecision{2, 32}, LayerPrecision{8, 32}}) {
      const RecurrentAnswer want =
          naive_recurrent(c, decoded(c, t, program, p.weight_bits, p.weight_bits),
                          [](std::vector<double> v) { return v; });
      for (const int threads : {1, 3}) {
        const auto got = run_bits(program, recurrent_inputs(c, t), {p, {}}, threads);
        ASSERT_TRUE(got) << got.status().to_line();
        expect_bits_close((*got)[0], want.y, c.cell + " Y");
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST(BitRecurrent, IsStored) {
  for (const RecurrentCase& cell : cells()) {
    RecurrentCase c = cell;
    c.direction = "bidirectional";
    c.lengths = {5, 2, 4};
    c.states = c.cell == "RNN";
    c.clip = 2;
    Graph graph = recurrent_graph(c, random_tensors(c));
    if (c.cell == "GRU") {
      graph.nodes[0].attributes["activations"] =
          std::vector<std::string>{"HardSigmoid", "Tanh", "Sigmoid", "Affine"};
      graph.nodes[0].attributes["activation_alpha"] = std::vector<float>{0.3F, 0.5F};
    }
    const std::string path = testing::temp_path("net.onnx"), model = testing::temp_path("q.onnx");
    testing::write_onnx(graph, path);
    const QuantizeOptions options{
        .planes = 5, .min_elements = 1, .floor_bits = 1, .scheme = Scheme::plain};
    const auto made = quantize_file(path, model, options);
    ASSERT_TRUE(made) << made.status().to_line();
    const Result<Session> stored = Session::load(model),
                          kept = Session::quantize_in_memory(path, options);
    ASSERT_TRUE(stored) << stored.status().to_line();
    ASSERT_TRUE(kept) << kept.status().to_line();
    std::vector<NamedTensor> inputs;
    for (const Tensor& t : recurrent_inputs(c, random_tensors(c))) {
      inputs.push_back({stored->inputs()[inputs.size()].name, t});
    }
    for (const int bits : {1, 5, 32}) {
      const auto a = stored->run(inputs, Precision::bits(bits));
      const auto b = kept->run(inputs, Precision::bits(bits));
      ASSERT_TRUE(a && b) << a.status().to_line() << b.status().to_line();
      for (std::size_t i = 0; i < a->size(); ++i)
        EXPECT_TRUE(same_recurrent_bits((*a)[i], (*b)[i]));
    }
    std::vector<InputShape> shapes;
    for (const NamedTensor& input : inputs) shapes.push_back({input.name, input.tensor.shape()});
    const auto plan = stored->plan(Precision::bits(3), shapes);
    ASSERT_TRUE(plan) << plan.status().to_line();
    EXPECT_EQ((*plan)[1].op_type, "BitRecurrent");
    EXPECT_EQ((*plan)[1].weight_bits, 3);
    EXPECT_NE((*plan)[1].kernel, "float");
  }
}

TEST(BitRecurrent, IsReportedAndNamed) {
  RecurrentCase c;
  c.cell = "GRU";
  c.direction = "bidirectional";
  c.features = c.hidden = 32;
  Graph graph = recurrent_graph(c, random_tensors(c));
  ASSERT_TRUE(simplify(graph));
  const auto reports = quantize_graph(graph, {.min_elements = 1, .exclude = {"*/recurrent"}});
  ASSERT_TRUE(reports);
  std::vector<std::string> lines;
  for (const LayerReport& r : *reports) {
    lines.push_back(r.name + " " + r.op_type + " " + std::to_string(r.rows) + "x" +
                    std::to_string(r.cols) + (r.quantized ? "" : " float"));
  }
  EXPECT_EQ(lines,
            (std::vector<std::string>{
                "cell/input MatMul 96x32", "cell/recurrent Recurrent 96x32 float",
                "cell/input_reverse MatMul 96x32", "cell/recurrent_reverse Recurrent 96x32"}));
}

TEST(BitRecurrent, RefusesWhatItCannotRun) {
  RecurrentCase c;
  c.features = c.hidden = 32;
  RecurrentTensors t = random_tensors(c);
  const Program program = recurrent_program(c, t);
  EXPECT_EQ(run_bits(program, recurrent_inputs(c, t), Precision::bits(kRecurrentPlanes + 1))
                .status()
                .code(),
            ErrorCode::precision_unavailable);

  t.h0[40] = std::numeric_limits<float>::quiet_NaN();
  const Status nan = run_bits(program, recurrent_inputs(c, t), Precision::bits(4)).status();
  EXPECT_EQ(nan.code(), ErrorCode::not_finite);
  EXPECT_EQ(nan.node(), "cell/recurrent");

  std::vector<Tensor> inputs = recurrent_inputs(c, random_tensors(c));
  inputs[1] = tensor_of({1, 2, 32}, std::vector<float>(64));
  const Status shape = run_bits(program, inputs, Precision::bits(4)).status();
  EXPECT_EQ(shape.code(), ErrorCode::shape_mismatch);
  EXPECT_NE(shape.message().find("initial_h is [1, 2, 32], not [1, 3, 32]"), std::string::npos);

  Graph graph = quantized_recurrent(c, t);
  for (Node& node : graph.nodes) {
    if (node.op_type == "BitRecurrent") node.attributes["hidden_size"] = std::int64_t{33};
  }
  const auto wrong = Program::build(std::move(graph));
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.status().message().find("its matrix is 128 x 32"), std::string::npos)
      << wrong.status().to_line();
}

TEST(BitRecurrent, EmptySequencesAndBatches) {
  RecurrentCase c;
  c.features = c.hidden = 32;
  c.steps = 0;
  const RecurrentTensors t = random_tensors(c);
  const Program program = recurrent_program(c, t);
  const auto none = run_bits(program, recurrent_inputs(c, t), Precision::bits(4));
  ASSERT_TRUE(none) << none.status().to_line();
  EXPECT_EQ((*none)[0].shape(), (Shape{0, 1, 3, 32}));
  EXPECT_EQ(testing::values_of((*none)[1]), t.h0);
  c.steps = 2;
  c.batch = 0;
  std::vector<Tensor> inputs = recurrent_inputs(c, random_tensors(c));
  while (inputs.size() < program.graph().inputs.size()) inputs.push_back(tensor_of({1, 0, 32}, {}));
  const auto nobody = run_bits(program, inputs, Precision::bits(4));
  ASSERT_TRUE(nobody) << nobody.status().to_line();
  EXPECT_EQ((*nobody)[0].shape(), (Shape{2, 1, 0, 32}));
}

}  // namespace
}  // namespace pbatch
