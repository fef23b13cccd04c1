// Networks that run step by step, built of feed-forward operators, whose answers are closed forms.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/networks.h"

namespace pbatch::testing {

/// Builds a graph node by node.
class NetBuilder {
 public:
  NetBuilder() { graph_.opsets[""] = 13; }

  ValueId input(const std::string& name, DType type, const Shape& dims) {
    const ValueId id = graph_.add_value({.name = name, .dtype = type, .dims = declared(dims)});
    graph_.inputs.push_back(id);
    return id;
  }
  ValueId floats(const Shape& shape, const std::vector<float>& values) {
    return graph_.add_value(
        {.name = "c" + std::to_string(graph_.values.size()), .constant = tensor_of(shape, values)});
  }
  ValueId integers(const Shape& shape, const std::vector<std::int64_t>& values) {
    Result<Tensor> t = Tensor::create(DType::i64, shape);
    std::copy(values.begin(), values.end(), t->mutable_data<std::int64_t>());
    return graph_.add_value(
        {.name = "c" + std::to_string(graph_.values.size()), .dtype = DType::i64, .constant = *t});
  }
  ValueId node(const std::string& op, const std::vector<ValueId>& inputs,
               std::map<std::string, Attribute> attributes = {}) {
    const std::string name = op + std::to_string(graph_.nodes.size());
    const ValueId out = graph_.add_value({.name = name + "_out"});
    Node n;
    n.name = name;
    n.op_type = op;
    n.opset = 13;
    n.inputs = inputs;
    n.outputs = {out};
    n.attributes = std::move(attributes);
    graph_.nodes.push_back(std::move(n));
    return out;
  }
  void output(ValueId id, const std::string& name, const Shape& dims) {
    const ValueId out = node("Identity", {id});
    graph_.values[static_cast<std::size_t>(out)].name = name;
    graph_.values[static_cast<std::size_t>(out)].dims = declared(dims);
    graph_.outputs.push_back(out);
  }
  const Graph& graph() const { return graph_; }

 private:
  static std::vector<Dim> declared(const Shape& dims) {
    std::vector<Dim> out;
    for (const std::int64_t d : dims) out.push_back({d, ""});
    return out;
  }
  Graph graph_;
};

/// `size` x `size`, one at [i][(i + shift) mod size], times `scale`.
inline std::vector<float> shifted_identity(std::int64_t size, std::int64_t shift, float scale) {
  std::vector<float> m(static_cast<std::size_t>(size * size));
  for (std::int64_t i = 0; i < size; ++i) {
    m[static_cast<std::size_t>(i * size + (i + shift + size) % size)] = scale;
  }
  return m;
}

/// tokens [?, ?] -> logits [?, ?, size]: `scale` for the token that follows, token + 1 modulo size,
/// and 0 for all others.
inline Graph bigram_net(std::int64_t size, float scale, bool softmax = false) {
  NetBuilder b;
  const ValueId tokens = b.input("tokens", DType::i64, {-1, -1});
  const ValueId x =
      b.node("Gather", {b.floats({size, size}, shifted_identity(size, 0, 1)), tokens});
  ValueId y = b.node("MatMul", {x, b.floats({size, size}, shifted_identity(size, 1, scale))});
  if (softmax) y = b.node("Softmax", {y}, {{"axis", std::int64_t{-1}}});
  b.output(y, "logits", {-1, -1, size});
  return b.graph();
}

/// A network with a memory of one token: tokens [?, 1], h_in [?, size] -> logits [?, size], h_out.
/// The logits are `scale` for the token before this one plus 1 modulo size; at the start, without a
/// token before, all 0.
inline Graph memory_net(std::int64_t size, float scale, const std::string& in = "h_in",
                        const std::string& out = "h_out") {
  NetBuilder b;
  const ValueId tokens = b.input("tokens", DType::i64, {-1, 1});
  const ValueId before = b.input(in, DType::f32, {-1, size});
  const ValueId x =
      b.node("Gather", {b.floats({size, size}, shifted_identity(size, 0, 1)), tokens});
  const ValueId now = b.node("Reshape", {x, b.integers({2}, {-1, size})});
  const ValueId y =
      b.node("MatMul", {before, b.floats({size, size}, shifted_identity(size, 1, scale))});
  b.output(y, "logits", {-1, size});
  b.output(now, out, {-1, size});
  return b.graph();
}

/// logits_t = (s + sum of embedding[token_u] for u <= t) * weights, where s is the sum of earlier
/// runs: tokens [batch, time] or [time, batch], all free, h0 [?, width] -> logits, hn. Without
/// `state` the sum starts anew in every run. embedding and weights: random_floats of seeds 1 and 2.
inline Graph running_sum_net(std::int64_t size, std::int64_t width, bool time_first, bool state) {
  NetBuilder b;
  const std::int64_t axis = time_first ? 0 : 1;
  const ValueId tokens = b.input("tokens", DType::i64, {-1, -1});
  const auto count = static_cast<std::size_t>(size * width);
  ValueId h = b.node("CumSum",
                     {b.node("Gather", {b.floats({size, width}, random_floats(count, 1)), tokens}),
                      b.integers({}, {axis})});
  if (state) {
    const ValueId h0 = b.input("h0", DType::f32, {-1, width});
    h = b.node("Add", {h, b.node("Unsqueeze", {h0, b.integers({1}, {axis})})});
  }
  b.output(b.node("MatMul", {h, b.floats({width, size}, random_floats(count, 2))}), "logits",
           {-1, -1, size});
  if (state) {
    b.output(b.node("Gather", {h, b.integers({}, {-1})}, {{"axis", axis}}), "hn", {-1, width});
  }
  return b.graph();
}

/// tokens [1, ?] -> h [1, size]: `count` of the greatest token, as one-hot.
inline Graph greatest_encoder(std::int64_t size, const std::string& name = "hn") {
  NetBuilder b;
  const ValueId tokens = b.input("tokens", DType::i64, {1, -1});
  const ValueId greatest =
      b.node("ReduceMax", {tokens},
             {{"axes", std::vector<std::int64_t>{1}}, {"keepdims", std::int64_t{0}}});
  const ValueId x =
      b.node("Gather", {b.floats({size, size}, shifted_identity(size, 0, 1)), greatest});
  b.output(b.node("MatMul", {x, b.floats({size, size}, shifted_identity(size, 0, 1))}), name,
           {1, size});
  return b.graph();
}

/// A decoder that counts down: tokens [1, 1], h0 [1, size] -> logits [1, size], hn. From the state
/// of k it answers k, k - 1, ..., 0, whatever it is fed.
inline Graph countdown_decoder(std::int64_t size) {
  NetBuilder b;
  const ValueId tokens = b.input("tokens", DType::i64, {1, 1});
  const ValueId h0 = b.input("h0", DType::f32, {1, size});
  const ValueId none = b.node(
      "Reshape", {b.node("Gather", {b.floats({size, size}, shifted_identity(size, 0, 0)), tokens}),
                  b.integers({2}, {1, size})});
  const ValueId h = b.node("Add", {h0, none});
  b.output(b.node("MatMul", {h, b.floats({size, size}, shifted_identity(size, 0, 4))}), "logits",
           {1, size});
  b.output(b.node("MatMul", {h, b.floats({size, size}, shifted_identity(size, -1, 1))}), "hn",
           {1, size});
  return b.graph();
}

}  // namespace pbatch::testing
