// Recurrent layers in integers against ONNX's equations in double precision.
#include "tests/support/recurrent.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "pbatch/quantize.h"
#include "pbatch/session.h"

namespace pbatch::testing {
namespace {

struct Errors {
  double y = 0, y_h = 0, y_c = 0, late = 0, early = 0;
};

Errors errors_of(const RecurrentCase& c, RecurrentTensors t, const Precision& precision) {
  for (float& h : t.h0) h = std::clamp(h, -0.99F, 0.99F);  // what a state can be
  const std::string path = temp_path("cell.onnx");
  write_onnx(recurrent_graph(c, t), path);
  QuantizeOptions options;
  options.planes = 16;
  options.min_elements = 1;
  options.scheme = Scheme::plain;
  options.input_ranges = {{"x", -6, 6}};
  const auto session = Session::quantize_in_memory(path, options, {.threads = 1});
  EXPECT_TRUE(session) << session.status().to_line();
  if (!session) return {INFINITY};
  const std::vector<Tensor> given = recurrent_inputs(c, t);
  std::vector<NamedTensor> inputs;
  std::size_t i = 0;
  inputs.push_back({"x", given[i++]});
  if (!c.lengths.empty()) inputs.push_back({"lengths", given[i++]});
  if (!t.h0.empty()) inputs.push_back({"h0", given[i++]});
  if (!t.c0.empty()) inputs.push_back({"c0", given[i++]});
  const auto made = session->run(inputs, precision);
  EXPECT_TRUE(made) << made.status().to_line();
  if (!made) return {INFINITY};
  const RecurrentAnswer wanted = naive_recurrent(c, t);
  const auto worst = [&](const Tensor& of, const std::vector<double>& real, std::size_t from,
                         std::size_t to) {
    EXPECT_EQ(static_cast<std::size_t>(of.size()), real.size());
    double most = 0;
    for (std::size_t k = from; k < to; ++k) {
      most = std::max(most, std::fabs(static_cast<double>(of.data<float>()[k]) - real[k]));
    }
    return most;
  };
  Errors errors;
  const bool swap = c.layout == 1;
  // Layout 1 has Y [B, T, D, H].
  const std::int64_t inner = c.directions() * c.batch * c.hidden;
  std::vector<double> y = wanted.y;
  if (swap) {
    const std::int64_t D = c.directions();
    std::vector<double> turned;
    for (std::int64_t b = 0; b < c.batch; ++b) {
      for (std::int64_t s = 0; s < c.steps; ++s) {
        for (std::int64_t d = 0; d < D; ++d) {
          for (std::int64_t u = 0; u < c.hidden; ++u) {
            turned.push_back(
                y[static_cast<std::size_t>(((s * D + d) * c.batch + b) * c.hidden + u)]);
          }
        }
      }
    }
    y = turned;
  }
  errors.y = worst((*made)[0], y, 0, y.size());
  if (swap) return errors;
  const auto tenth = static_cast<std::size_t>(c.steps / 10 * inner);
  errors.early = worst((*made)[0], y, 0, tenth);
  errors.late = worst((*made)[0], y, y.size() - tenth, y.size());
  errors.y_h = worst((*made)[1], wanted.y_h, 0, wanted.y_h.size());
  if (c.cell == "LSTM") errors.y_c = worst((*made)[2], wanted.y_c, 0, wanted.y_c.size());
  return errors;
}

void expect_near(const RecurrentCase& c) {
  const Errors e = errors_of(c, random_tensors(c), Precision::integer(16, 16));
  EXPECT_LT(e.y, 2e-3);
  EXPECT_LT(e.y_h, 2e-3);
  EXPECT_LT(e.y_c, 4e-3);
}

TEST(IntegerRecurrent, Lstm) {
  expect_near({});
  expect_near({.direction = "reverse", .layout = 1});
  expect_near({.direction = "bidirectional", .peepholes = true, .lengths = {5, 2, 0}});
  expect_near({.biases = false, .states = false, .input_forget = true, .clip = 0.8F});
}

TEST(IntegerRecurrent, Gru) {
  expect_near({.cell = "GRU"});
  expect_near({.cell = "GRU", .direction = "bidirectional", .linear_before_reset = true});
  expect_near({.cell = "GRU", .hidden = 33, .layout = 1, .lengths = {1, 5, 4}});
  expect_near({.cell = "GRU", .linear_before_reset = true, .biases = false, .clip = 1.5F});
}

TEST(IntegerRecurrent, Rnn) {
  expect_near({.cell = "RNN"});
  expect_near({.cell = "RNN", .direction = "bidirectional", .lengths = {3, 5, 1}});
}

// Large enough that steps are shared among threads.
TEST(IntegerRecurrent, ThreadsGiveTheSameBits) {
  for (const char* cell : {"LSTM", "GRU", "RNN"}) {
    const RecurrentCase c{.cell = cell, .steps = 4, .batch = 2, .hidden = 368};
    const RecurrentTensors t = random_tensors(c);
    const std::string path = temp_path("threads.onnx");
    write_onnx(recurrent_graph(c, t), path);
    QuantizeOptions options;
    options.min_elements = 1;
    options.scheme = Scheme::plain;
    options.input_ranges = {{"x", -6, 6}};
    const std::vector<Tensor> given = recurrent_inputs(c, t);
    std::vector<NamedTensor> inputs{{"x", given[0]}, {"h0", given[1]}};
    if (!t.c0.empty()) inputs.push_back({"c0", given[2]});
    const auto outputs = [&](int threads, const Precision& precision) {
      const auto session = Session::quantize_in_memory(path, options, {.threads = threads});
      EXPECT_TRUE(session) << session.status().to_line();
      auto made = session->run(inputs, precision);
      EXPECT_TRUE(made) << made.status().to_line();
      return *std::move(made);
    };
    for (const Precision& precision : {Precision::integer(8, 8), Precision::integer(4, 16)}) {
      const std::vector<Tensor> one = outputs(1, precision), three = outputs(3, precision);
      for (std::size_t i = 0; i < one.size(); ++i) {
        EXPECT_EQ(0, std::memcmp(one[i].raw(), three[i].raw(), one[i].bytes())) << cell << " " << i;
      }
    }
  }
}

TEST(IntegerRecurrent, EightBitsOfActivations) {
  const RecurrentCase c{.cell = "LSTM", .steps = 20};
  EXPECT_LT(errors_of(c, random_tensors(c), Precision::integer(8, 8)).y, 0.08);
}

// The error of the last tenth of a stream is no greater than that of the first.
TEST(IntegerRecurrent, ErrorsDoNotDrift) {
  for (const char* cell : {"LSTM", "GRU"}) {
    const RecurrentCase c{.cell = cell, .steps = 3000, .batch = 1, .features = 4, .hidden = 24};
    RecurrentTensors t = random_tensors(c);
    for (float& x : t.x) x = std::clamp(x, -6.0F, 6.0F);
    const Errors e = errors_of(c, t, Precision::integer(16, 16));
    EXPECT_LT(e.late, std::max(e.early * 1.25, 1e-3)) << cell;
    EXPECT_LT(e.y, 5e-3) << cell;
  }
}

}  // namespace
}  // namespace pbatch::testing
