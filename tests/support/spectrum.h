// A network as speech has in front: a transform by convolution, magnitudes, a layer on top whose
// weights are large where magnitudes are small.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "tests/support/networks.h"

namespace pbatch::testing {

/// x [1, 1, 96] -> 20 complex numbers at 5 places -> magnitudes -> 16 channels.
inline Graph spectrum() {
  constexpr int kTaps = 32, kBins = 20;
  Graph g;
  g.name = "spectrum";
  g.opsets[""] = 13;
  const auto value = [&g](const std::string& name) {
    return g.add_value({.name = name, .dtype = DType::f32});
  };
  const auto add = [&g](const std::string& op, std::vector<ValueId> inputs, ValueId output,
                        std::map<std::string, Attribute> attributes = {}) {
    Node node;
    node.name = op + std::to_string(g.nodes.size());
    node.op_type = op;
    node.opset = 13;
    node.inputs = std::move(inputs);
    node.outputs = {output};
    node.attributes = std::move(attributes);
    g.nodes.push_back(std::move(node));
  };
  const auto constant = [&g](Tensor tensor) {
    const std::string name = "c" + std::to_string(g.values.size());
    return g.add_value({.name = name, .dtype = tensor.dtype(), .constant = std::move(tensor)});
  };
  const auto integers = [&](std::int64_t x) {
    Tensor t = *Tensor::create(DType::i64, {1});
    t.mutable_data<std::int64_t>()[0] = x;
    return constant(std::move(t));
  };
  std::vector<float> waves, weights;
  for (int row = 0; row < 2 * kBins; ++row) {
    for (int t = 0; t < kTaps; ++t) {
      const double angle = M_PI * (row % kBins + 0.5) * t / kTaps;
      const double window = 0.5 - 0.5 * std::cos(2 * M_PI * (t + 0.5) / kTaps);
      waves.push_back(
          static_cast<float>(window * (row < kBins ? std::cos(angle) : std::sin(angle))));
    }
  }
  const std::vector<float> random = random_floats(16 * kBins, 8);
  for (int i = 0; i < 16 * kBins; ++i) {
    weights.push_back(random[static_cast<std::size_t>(i)] *
                      static_cast<float>(std::exp2(i % kBins * 0.5 - 5)));
  }
  const std::vector<Dim> dims{{1, ""}, {1, ""}, {96, ""}};
  g.inputs = {g.add_value({.name = "x", .dtype = DType::f32, .dims = dims})};
  const ValueId waved = value("waved"), real = value("real"), imaginary = value("imaginary");
  add("Conv", {g.inputs[0], constant(tensor_of({2 * kBins, 1, kTaps}, waves))}, waved,
      {{"strides", std::vector<std::int64_t>{16}}});
  add("Slice", {waved, integers(0), integers(kBins), integers(1)}, real);
  add("Slice", {waved, integers(kBins), integers(2 * kBins), integers(1)}, imaginary);
  const ValueId two = constant(tensor_of({}, {2}));
  const ValueId a = value("a"), b = value("b"), sum = value("sum"), size = value("size");
  add("Pow", {real, two}, a);
  add("Mul", {imaginary, imaginary}, b);
  add("Add", {a, b}, sum);
  add("Sqrt", {sum}, size);
  const ValueId y = value("y");
  add("Conv", {size, constant(tensor_of({16, kBins, 1}, weights))}, y);
  g.outputs = {y};
  return g;
}

/// [items, 1, 96]: waves that fade over the bins by 2^-7, loud ones and some 16 times quieter.
inline Tensor quiet_and_loud(std::int64_t items, unsigned seed = 1) {
  std::vector<float> x;
  const std::vector<float> phases = random_floats(static_cast<std::size_t>(items * 8), seed);
  for (std::int64_t i = 0; i < items; ++i) {
    const double loud = std::exp2(-static_cast<double>(i % 5));
    for (int t = 0; t < 96; ++t) {
      double sum = 0;
      for (int k = 0; k < 8; ++k) {
        const double phase = phases[static_cast<std::size_t>(i * 8 + k)];
        sum += std::exp2(-k) * std::sin(M_PI * (2.5 * k + 0.7) * t / 32 + 9 * phase);
      }
      x.push_back(static_cast<float>(loud * sum));
    }
  }
  return tensor_of({items, 1, 96}, x);
}

}  // namespace pbatch::testing
