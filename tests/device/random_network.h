// Random networks of operators that run on a device. All values between the operators are
// [N, cols], and all operators but those at the ends give the same bits everywhere.
#pragma once

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "graph/graph.h"
#include "tests/support/networks.h"
#include "tests/support/one_op.h"

namespace pbatch::testing {

class RandomNetwork {
 public:
  RandomNetwork(std::mt19937_64& rng, int operators) : rng_(rng) {
    graph_.name = "random";
    graph_.opsets[""] = 14;
    values_.push_back(add_input(DType::f32, 1 + any(50), 0));
    values_.push_back(add_input(DType::f32, 1 + any(9), 0));
    for (int i = 0; i < operators; ++i) add_operator();
    // Some value twice, the inputs perhaps, and most of what was made last.
    for (int i = 0; i < 3; ++i) add_output(pick().id, true);
    for (std::size_t i = values_.size() > 4 ? values_.size() - 4 : 0; i < values_.size(); ++i) {
      add_output(values_[i].id, true);
    }
    for (const char* op : {"Tanh", "Sigmoid", "Softmax", "LogSoftmax"}) {
      if (any(2) == 0) add_output(add(op, {pick().id}), false);
    }
  }

  const Graph& graph() const { return graph_; }
  /// Whether the graph's output i has the same bits everywhere.
  bool is_exact(std::size_t i) const { return exact_[i]; }
  /// Names of nodes with matrices.
  const std::vector<std::string>& layers() const { return layers_; }

  std::vector<Tensor> inputs(std::int64_t batch) {
    std::vector<Tensor> made;
    for (const Input& input : inputs_) {
      const auto count = static_cast<std::size_t>(batch * input.cols);
      if (input.type == DType::f32) {
        made.push_back(
            tensor_of({batch, input.cols}, random_floats(count, static_cast<unsigned>(rng_()))));
      } else if (input.type == DType::i64) {  // rows of a table, some from its end
        std::vector<std::int64_t> rows(count);
        for (auto& row : rows) row = any(2 * input.limit) - input.limit;
        made.push_back(make_tensor<std::int64_t>(DType::i64, {batch, input.cols}, rows));
      } else {  // lengths of sequences
        std::vector<std::int32_t> lengths(count);
        for (auto& length : lengths) length = static_cast<std::int32_t>(any(input.limit + 1));
        made.push_back(make_tensor<std::int32_t>(DType::i32, {batch}, lengths));
      }
    }
    return made;
  }

 private:
  struct Vectors {
    ValueId id;
    std::int64_t cols;
  };
  struct Input {
    DType type;
    std::int64_t cols, limit;
  };

  std::int64_t any(std::int64_t n) {
    return static_cast<std::int64_t>(rng_() % static_cast<std::uint64_t>(n));
  }
  Vectors pick() {
    return values_[static_cast<std::size_t>(any(static_cast<std::int64_t>(values_.size())))];
  }
  std::string new_name(const std::string& role) { return role + std::to_string(names_++); }

  Vectors add_input(DType type, std::int64_t cols, std::int64_t limit) {
    std::vector<Dim> dims = {{-1, "N"}};
    if (type != DType::i32) dims.push_back({cols, ""});
    const ValueId id = graph_.add_value({.name = new_name("x"), .dtype = type, .dims = dims});
    graph_.inputs.push_back(id);
    inputs_.push_back({type, cols, limit});
    return {id, cols};
  }
  ValueId constant(const Tensor& tensor) {
    return graph_.add_value({.name = new_name("c"), .dtype = tensor.dtype(), .constant = tensor});
  }
  ValueId weights(Shape shape, float scale) {
    std::size_t count = 1;
    for (const std::int64_t d : shape) count *= static_cast<std::size_t>(d);
    std::vector<float> values = random_floats(count, static_cast<unsigned>(rng_()));
    for (float& v : values) v *= scale;
    return constant(tensor_of(std::move(shape), values));
  }
  void add_output(ValueId id, bool exact) {
    graph_.outputs.push_back(id);
    exact_.push_back(exact);
  }

  std::vector<ValueId> add_many(
      const std::string& op, std::vector<ValueId> inputs, std::size_t outputs,
      const std::vector<std::pair<std::string, Attribute>>& attributes = {}) {
    Node node;
    node.name = new_name(op);
    node.op_type = op;
    node.opset = 14;
    node.inputs = std::move(inputs);
    for (const auto& [name, value] : attributes) node.attributes[name] = value;
    for (std::size_t i = 0; i < outputs; ++i) {
      node.outputs.push_back(graph_.add_value({.name = new_name("v")}));
    }
    graph_.nodes.push_back(node);
    return node.outputs;
  }
  ValueId add(const std::string& op, std::vector<ValueId> inputs,
              const std::vector<std::pair<std::string, Attribute>>& attributes = {}) {
    return add_many(op, std::move(inputs), 1, attributes)[0];
  }
  ValueId reshape(ValueId x, const std::vector<std::int64_t>& shape) {
    return add("Reshape", {x, constant(int64s(shape))});
  }
  ValueId clip(ValueId x) {  // so that no chain of products ends at infinity
    return add("Clip", {x, constant(floats({}, {-4})), constant(floats({}, {4}))});
  }
  std::int64_t divisor(std::int64_t n) {
    std::vector<std::int64_t> all;
    for (std::int64_t d = 1; d <= n; ++d) {
      if (n % d == 0) all.push_back(d);
    }
    return all[static_cast<std::size_t>(any(static_cast<std::int64_t>(all.size())))];
  }

  void add_operator() {
    const Vectors x = pick();
    switch (any(9)) {
      case 0:
      case 1:
        return add_linear(x);
      case 2:
        return values_.push_back({add_function(x.id), x.cols});
      case 3:
        return add_pair(x);
      case 4:
        return add_transposed(x);
      case 5:
        return add_parts(x);
      case 6:
        return add_joined(x);
      case 7:
        return add_rows();
      default:
        return add_recurrent(x);
    }
  }

  void add_linear(const Vectors& x) {
    std::int64_t rows = 1 + any(50);
    const float scale = 1 / std::sqrt(static_cast<float>(x.cols));
    if (any(2) == 0) {
      const ValueId y = add("Gemm", {x.id, weights({rows, x.cols}, scale), weights({rows}, 1)},
                            {{"transB", std::int64_t{1}}});
      layers_.push_back(graph_.nodes.back().name);
      return values_.push_back({any(2) == 0 ? add("Relu", {y}) : y, rows});
    }
    // Each cut into several vectors.
    const std::int64_t cols = divisor(x.cols), each = x.cols / cols;
    rows = std::max<std::int64_t>(1, std::min(rows, 60 / each));
    const ValueId y =
        add("MatMul", {reshape(x.id, {-1, each, cols}), weights({cols, rows}, scale)});
    layers_.push_back(graph_.nodes.back().name);
    values_.push_back({reshape(y, {-1, each * rows}), each * rows});
  }

  ValueId add_function(ValueId x) {
    constexpr const char* kFunctions[] = {"Relu", "Neg", "Abs", "LeakyRelu", "Identity", "Dropout"};
    const std::int64_t f = any(7);
    return f == 6 ? clip(x) : add(kFunctions[f], {x});
  }

  // x and another value, column or constant.
  void add_pair(const Vectors& x) {
    constexpr const char* kFunctions[] = {"Add", "Sub", "Mul", "Max", "Min"};
    const Vectors other = pick();
    ValueId b = other.id;
    if (any(3) == 0) {
      const Shape shapes[] = {{x.cols}, {1, x.cols}, {1}, {}};
      b = weights(shapes[any(4)], 1);
    } else if (other.cols != x.cols) {
      const std::int64_t at = any(other.cols);
      b = add("Slice", {other.id, constant(int64s({at})), constant(int64s({at + 1})),
                        constant(int64s({1}))});
    }
    std::vector<ValueId> both = {x.id, b};
    if (any(2) == 0) std::swap(both[0], both[1]);
    values_.push_back({clip(add(kFunctions[any(5)], both)), x.cols});
  }

  void add_transposed(const Vectors& x) {
    const std::int64_t d = divisor(x.cols);
    ValueId y = reshape(x.id, {-1, d, x.cols / d});
    y = add("Transpose", {y}, {{"perm", std::vector<std::int64_t>{0, 2, 1}}});
    values_.push_back({reshape(y, {-1, x.cols}), x.cols});
  }

  void add_parts(const Vectors& x) {
    if (x.cols < 2) return;
    const std::int64_t at = 1 + any(x.cols - 1);
    const auto parts = add_many("Split", {x.id, constant(int64s({at, x.cols - at}))}, 2,
                                {{"axis", std::int64_t{1}}});
    values_.push_back({parts[0], at});
    // The second backwards.
    const ValueId y = add("Slice", {parts[1], constant(int64s({-1})), constant(int64s({-1000})),
                                    constant(int64s({1})), constant(int64s({-1}))});
    values_.push_back({y, x.cols - at});
  }

  void add_joined(const Vectors& x) {
    const Vectors other = pick();
    if (x.cols + other.cols > 70) return;
    const ValueId y = add("Concat", {x.id, other.id}, {{"axis", std::int64_t{1}}});
    values_.push_back({y, x.cols + other.cols});
  }

  void add_rows() {
    const std::int64_t rows = 1 + any(40), cols = 1 + any(20), each = 1 + any(3);
    const Vectors indices = add_input(DType::i64, each, rows);
    const ValueId y = add("Gather", {weights({rows, cols}, 1), indices.id});
    layers_.push_back(graph_.nodes.back().name);
    values_.push_back({reshape(y, {-1, each * cols}), each * cols});
  }

  // x cut into steps, with or without a state that the network computes.
  void add_recurrent(const Vectors& x) {
    const std::int64_t cell = any(3), hidden = 1 + any(20), features = divisor(x.cols);
    const std::int64_t steps = x.cols / features, gates = cell == 0 ? 1 : cell == 1 ? 4 : 3;
    if (steps > 8) return;
    const std::int64_t directions = 1 + any(2), rows = gates * hidden;
    const bool vectors_first = directions == 2 || any(2) == 0;
    ValueId sequence = reshape(x.id, {-1, steps, features});
    if (!vectors_first) {
      sequence = add("Transpose", {sequence}, {{"perm", std::vector<std::int64_t>{1, 0, 2}}});
    }
    std::vector<ValueId> inputs = {sequence, weights({directions, rows, features}, 0.5F),
                                   weights({directions, rows, hidden}, 0.3F),
                                   weights({directions, 2 * rows}, 0.5F)};
    inputs.push_back(any(2) == 0 ? kNoValue : add_input(DType::i32, 1, steps).id);
    if (any(2) == 0) {
      const ValueId h0 = add("MatMul", {x.id, weights({x.cols, directions * hidden}, 0.1F)});
      const std::int64_t d = directions;
      inputs.push_back(vectors_first ? reshape(h0, {-1, d, hidden}) : reshape(h0, {1, -1, hidden}));
    }
    constexpr const char* kCells[] = {"RNN", "LSTM", "GRU"};
    std::vector<std::pair<std::string, Attribute>> attributes = {
        {"hidden_size", hidden}, {"layout", std::int64_t{vectors_first ? 1 : 0}}};
    if (directions == 2) attributes.emplace_back("direction", std::string("bidirectional"));
    if (directions == 1 && any(2) == 0)
      attributes.emplace_back("direction", std::string("reverse"));
    if (cell == 2 && any(2) == 0) attributes.emplace_back("linear_before_reset", std::int64_t{1});
    const auto made = add_many(kCells[cell], inputs, 2, attributes);
    layers_.push_back(graph_.nodes.back().name + "/recurrent");
    ValueId last = made[1];
    if (!vectors_first) last = add("Squeeze", {last, constant(int64s({0}))});
    values_.push_back({reshape(last, {-1, directions * hidden}), directions * hidden});
    ValueId all = made[0];  // [N, T, D, H] or [T, D, N, H]
    if (!vectors_first) {
      all = add("Transpose", {all}, {{"perm", std::vector<std::int64_t>{2, 0, 1, 3}}});
    }
    const std::int64_t cols = steps * directions * hidden;
    if (cols <= 80) values_.push_back({reshape(all, {-1, cols}), cols});
  }

  std::mt19937_64& rng_;
  Graph graph_;
  std::vector<Vectors> values_;
  std::vector<Input> inputs_;
  std::vector<bool> exact_;
  std::vector<std::string> layers_;
  int names_ = 0;
};

}  // namespace pbatch::testing
