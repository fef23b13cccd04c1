// ONNX recurrent layers: networks of one node, and what they must answer, by ONNX's equations in
// double precision, unit by unit.
#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "tests/support/networks.h"

namespace pbatch::testing {

struct RecurrentCase {
  std::string cell = "LSTM";  // RNN, LSTM, GRU
  std::string direction = "forward";
  std::int64_t steps = 5, batch = 3, features = 7, hidden = 20;
  int layout = 0;
  bool linear_before_reset = false, biases = true, states = true, peepholes = false;
  bool input_forget = false;
  float clip = 0;
  std::vector<std::int32_t> lengths;  // empty: not given

  int directions() const { return direction == "bidirectional" ? 2 : 1; }
  int gates() const { return cell == "LSTM" ? 4 : cell == "GRU" ? 3 : 1; }
  std::size_t count(std::int64_t n) const { return static_cast<std::size_t>(n); }
};

/// Everything that goes into the node, in ONNX's layouts (layout 0).
struct RecurrentTensors {
  std::vector<float> x;       // [T, B, I]
  std::vector<float> w, r;    // [D, G H, I], [D, G H, H]
  std::vector<float> b, p;    // [D, 2 G H], [D, 3 H]; empty: not given
  std::vector<float> h0, c0;  // [D, B, H]; empty: not given
};

inline RecurrentTensors random_tensors(const RecurrentCase& c) {
  const std::int64_t d = c.directions(), rows = c.gates() * c.hidden;
  const auto floats = [](std::int64_t n, unsigned seed, float scale) {
    std::vector<float> v = random_floats(static_cast<std::size_t>(n), seed);
    for (float& f : v) f *= scale;
    return v;
  };
  RecurrentTensors t;
  t.x = floats(c.steps * c.batch * c.features, 1, 1);
  t.w = floats(d * rows * c.features, 2, 0.5F);
  t.r = floats(d * rows * c.hidden, 3, 0.3F);
  if (c.biases) t.b = floats(d * 2 * rows, 4, 0.5F);
  if (c.peepholes) t.p = floats(d * 3 * c.hidden, 5, 0.5F);
  if (c.states) t.h0 = floats(d * c.batch * c.hidden, 6, 0.5F);
  if (c.states && c.cell == "LSTM") t.c0 = floats(d * c.batch * c.hidden, 7, 1);
  return t;
}

struct RecurrentAnswer {
  std::vector<double> y;         // [T, D, B, H]
  std::vector<double> y_h, y_c;  // [D, B, H]
};

/// What becomes of a vector before it is multiplied.
using Rounding = std::function<std::vector<double>(std::vector<double>)>;

inline RecurrentAnswer naive_recurrent(
    const RecurrentCase& c, const RecurrentTensors& t,
    const Rounding& rounded = [](std::vector<double> v) { return v; }) {
  const std::int64_t D = c.directions(), H = c.hidden, I = c.features, B = c.batch, G = c.gates();
  const auto sigmoid = [](double v) { return 1 / (1 + std::exp(-v)); };
  const auto clip = [&](double v) {
    return c.clip > 0 ? std::min<double>(std::max<double>(v, -c.clip), c.clip) : v;
  };
  RecurrentAnswer a;
  a.y.assign(c.count(c.steps * D * B * H), 0);
  a.y_h.assign(c.count(D * B * H), 0);
  a.y_c = a.y_h;
  for (std::int64_t d = 0; d < D; ++d) {
    const bool reverse = c.direction == "reverse" || d == 1;
    const auto w = [&](std::int64_t g, std::int64_t u, const std::vector<double>& x) {
      double sum = 0;
      for (std::int64_t i = 0; i < I; ++i)
        sum += double{t.w[c.count(((d * G + g) * H + u) * I + i)]} * x[c.count(i)];
      return sum;
    };
    const auto r = [&](std::int64_t g, std::int64_t u, const std::vector<double>& h) {
      double sum = 0;
      for (std::int64_t i = 0; i < H; ++i)
        sum += double{t.r[c.count(((d * G + g) * H + u) * H + i)]} * h[c.count(i)];
      return sum;
    };
    const auto bias = [&](int of_r, std::int64_t g, std::int64_t u) {
      return t.b.empty() ? 0.0 : double{t.b[c.count((d * 2 + of_r) * G * H + g * H + u)]};
    };
    const auto peep = [&](std::int64_t k, std::int64_t u) {
      return t.p.empty() ? 0.0 : double{t.p[c.count((d * 3 + k) * H + u)]};
    };
    for (std::int64_t b = 0; b < B; ++b) {
      std::vector<double> h(c.count(H), 0), cell(c.count(H), 0);
      for (std::int64_t u = 0; u < H; ++u) {
        if (!t.h0.empty()) h[c.count(u)] = double{t.h0[c.count((d * B + b) * H + u)]};
        if (!t.c0.empty()) cell[c.count(u)] = double{t.c0[c.count((d * B + b) * H + u)]};
      }
      const std::int64_t length = c.lengths.empty() ? c.steps : c.lengths[c.count(b)];
      for (std::int64_t s = 0; s < length; ++s) {
        const std::int64_t time = reverse ? length - 1 - s : s;
        const float* const at = t.x.data() + (time * B + b) * I;
        const std::vector<double> x = rounded({at, at + I}), last = rounded(h);
        std::vector<double> next = h;
        std::vector<double> reset(c.count(H), 0), update(c.count(H), 0);
        const auto gate = [&](std::int64_t g, std::int64_t u) {
          return w(g, u, x) + r(g, u, last) + bias(0, g, u) + bias(1, g, u);
        };
        if (c.cell == "GRU") {
          for (std::int64_t u = 0; u < H; ++u) {
            update[c.count(u)] = sigmoid(clip(gate(0, u)));
            reset[c.count(u)] = sigmoid(clip(gate(1, u)));
          }
        }
        std::vector<double> reset_h = h;
        for (std::int64_t u = 0; u < H; ++u) reset_h[c.count(u)] *= reset[c.count(u)];
        reset_h = rounded(reset_h);
        for (std::int64_t u = 0; u < H; ++u) {
          const std::size_t k = c.count(u);
          if (c.cell == "RNN") {
            next[k] = std::tanh(clip(gate(0, u)));
          } else if (c.cell == "GRU") {
            const double of_h = c.linear_before_reset ? reset[k] * (r(2, u, last) + bias(1, 2, u))
                                                      : r(2, u, reset_h) + bias(1, 2, u);
            const double g = std::tanh(clip(w(2, u, x) + bias(0, 2, u) + of_h));
            next[k] = (1 - update[k]) * g + update[k] * h[k];
          } else {
            const double i = sigmoid(clip(gate(0, u) + peep(0, u) * cell[k]));
            const double f =
                c.input_forget ? 1 - i : sigmoid(clip(gate(2, u) + peep(2, u) * cell[k]));
            cell[k] = f * cell[k] + i * std::tanh(clip(gate(3, u)));
            next[k] = sigmoid(clip(gate(1, u) + peep(1, u) * cell[k])) * std::tanh(cell[k]);
          }
        }
        h = next;
        for (std::int64_t u = 0; u < H; ++u) {
          a.y[c.count(((time * D + d) * B + b) * H + u)] = h[c.count(u)];
        }
      }
      for (std::int64_t u = 0; u < H; ++u) {
        a.y_h[c.count((d * B + b) * H + u)] = h[c.count(u)];
        a.y_c[c.count((d * B + b) * H + u)] = cell[c.count(u)];
      }
    }
  }
  return a;
}

/// [a, b, rest] -> [b, a, rest], what layout 1 asks for.
template <class T>
std::vector<T> swapped(const std::vector<T>& v, std::int64_t a, std::int64_t b) {
  std::vector<T> out(v.size());
  const std::int64_t rest = a * b == 0 ? 0 : static_cast<std::int64_t>(v.size()) / (a * b);
  for (std::int64_t i = 0; i < a; ++i) {
    for (std::int64_t j = 0; j < b; ++j) {
      for (std::int64_t k = 0; k < rest; ++k) {
        out[static_cast<std::size_t>((j * a + i) * rest + k)] =
            v[static_cast<std::size_t>((i * b + j) * rest + k)];
      }
    }
  }
  return out;
}

/// A network of one node "cell" with constant weights, inputs x, lengths, h0, c0 (those given) and
/// outputs y, y_h, and y_c of an LSTM.
inline Graph recurrent_graph(const RecurrentCase& c, const RecurrentTensors& t) {
  const std::int64_t D = c.directions(), rows = c.gates() * c.hidden;
  Graph graph;
  graph.name = "recurrent";
  graph.opsets[""] = 14;
  const auto constant = [&](const char* name, Shape shape, const std::vector<float>& values) {
    return values.empty()
               ? kNoValue
               : graph.add_value({.name = name, .constant = tensor_of(std::move(shape), values)});
  };
  const auto input = [&](const char* name, DType type, std::size_t rank) {
    const ValueId id =
        graph.add_value({.name = name, .dtype = type, .dims = std::vector<Dim>(rank)});
    graph.inputs.push_back(id);
    return id;
  };
  Node node;
  node.name = "cell";
  node.op_type = c.cell;
  node.opset = 14;
  node.inputs = {input("x", DType::f32, 3),
                 constant("W", {D, rows, c.features}, t.w),
                 constant("R", {D, rows, c.hidden}, t.r),
                 constant("B", {D, 2 * rows}, t.b),
                 c.lengths.empty() ? kNoValue : input("lengths", DType::i32, 1),
                 t.h0.empty() ? kNoValue : input("h0", DType::f32, 3)};
  if (c.cell == "LSTM") {
    node.inputs.push_back(t.c0.empty() ? kNoValue : input("c0", DType::f32, 3));
    node.inputs.push_back(constant("P", {D, 3 * c.hidden}, t.p));
  }
  for (const char* name : {"y", "y_h", "y_c"}) {
    if (name == std::string("y_c") && c.cell != "LSTM") continue;
    const ValueId id = graph.add_value({.name = name});
    node.outputs.push_back(id);
    graph.outputs.push_back(id);
  }
  node.attributes["hidden_size"] = c.hidden;
  node.attributes["direction"] = c.direction;
  node.attributes["layout"] = std::int64_t{c.layout};
  if (c.clip > 0) node.attributes["clip"] = c.clip;
  if (c.input_forget) node.attributes["input_forget"] = std::int64_t{1};
  if (c.linear_before_reset) node.attributes["linear_before_reset"] = std::int64_t{1};
  graph.nodes.push_back(std::move(node));
  return graph;
}

/// What is fed to recurrent_graph, in the order of its inputs.
inline std::vector<Tensor> recurrent_inputs(const RecurrentCase& c, const RecurrentTensors& t) {
  const bool swap = c.layout == 1;
  const std::int64_t D = c.directions();
  std::vector<Tensor> inputs;
  inputs.push_back(swap ? tensor_of({c.batch, c.steps, c.features}, swapped(t.x, c.steps, c.batch))
                        : tensor_of({c.steps, c.batch, c.features}, t.x));
  if (!c.lengths.empty()) {
    Result<Tensor> lengths = Tensor::create(DType::i32, {c.batch});
    EXPECT_TRUE(lengths);
    std::copy(c.lengths.begin(), c.lengths.end(), lengths->mutable_data<std::int32_t>());
    inputs.push_back(*lengths);
  }
  for (const std::vector<float>* state : {&t.h0, &t.c0}) {
    if (state->empty()) continue;
    inputs.push_back(swap ? tensor_of({c.batch, D, c.hidden}, swapped(*state, D, c.batch))
                          : tensor_of({D, c.batch, c.hidden}, *state));
  }
  return inputs;
}

}  // namespace pbatch::testing
