// A tiny evaluator of the operators that passes touch: plain loops from their
// definitions in ONNX, in double, sharing nothing with the engine.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "graph/graph.h"

namespace pbatch::testing {

struct Array {
  Shape shape;
  std::vector<double> values;
  std::int64_t dim(std::size_t i) const { return shape[i]; }
};

inline Array random_array(Shape shape, unsigned seed) {
  std::int64_t count = 1;
  for (const std::int64_t d : shape) count *= d;
  std::mt19937 engine(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  Array array{std::move(shape), {}};
  for (std::int64_t i = 0; i < count; ++i) array.values.push_back(double{uniform(engine)});
  return array;
}

inline Tensor to_tensor(const Array& array) {
  const std::vector<float> floats(array.values.begin(), array.values.end());
  Result<Tensor> tensor = Tensor::from_floats(array.shape, floats);
  EXPECT_TRUE(tensor);
  return tensor ? *tensor : Tensor();
}

inline Array to_array(const Tensor& tensor) {
  return {tensor.shape(), {tensor.data<float>(), tensor.data<float>() + tensor.size()}};
}

// Broadcasting by ONNX's rule.
template <class F>
Array broadcast(const Array& a, const Array& b, F f) {
  const std::size_t rank = std::max(a.shape.size(), b.shape.size());
  Array out{Shape(rank), {}};
  const auto dim = [rank](const Array& x, std::size_t i) {
    return i + x.shape.size() < rank ? 1 : x.shape[i + x.shape.size() - rank];
  };
  std::int64_t count = 1;
  for (std::size_t i = 0; i < rank; ++i) {
    EXPECT_TRUE(dim(a, i) == dim(b, i) || dim(a, i) == 1 || dim(b, i) == 1);
    out.shape[i] = std::max(dim(a, i), dim(b, i));
    count *= out.shape[i];
  }
  for (std::int64_t n = 0; n < count; ++n) {
    std::int64_t rest = n, stride_a = 1, stride_b = 1, at_a = 0, at_b = 0;
    for (std::size_t i = rank; i-- > 0;) {
      const std::int64_t index = rest % out.shape[i];
      rest /= out.shape[i];
      at_a += dim(a, i) == 1 ? 0 : index * stride_a;
      at_b += dim(b, i) == 1 ? 0 : index * stride_b;
      stride_a *= dim(a, i);
      stride_b *= dim(b, i);
    }
    out.values.push_back(f(a.values[std::size_t(at_a)], b.values[std::size_t(at_b)]));
  }
  return out;
}

// X [..., K] times W [K, N].
inline Array matmul(const Array& x, const Array& w) {
  const std::int64_t k = w.dim(0), n = w.dim(1);
  Array out{x.shape, {}};
  EXPECT_EQ(out.shape.back(), k);
  out.shape.back() = n;
  for (std::size_t row = 0; row * std::size_t(k) < x.values.size(); ++row) {
    for (std::int64_t c = 0; c < n; ++c) {
      double sum = 0;
      for (std::int64_t i = 0; i < k; ++i) {
        sum += x.values[row * std::size_t(k) + std::size_t(i)] * w.values[std::size_t(i * n + c)];
      }
      out.values.push_back(sum);
    }
  }
  return out;
}

inline Array transpose(const Array& x) {
  Array out{{x.dim(1), x.dim(0)}, {}};
  for (std::int64_t c = 0; c < x.dim(1); ++c) {
    for (std::int64_t r = 0; r < x.dim(0); ++r) {
      out.values.push_back(x.values[std::size_t(r * x.dim(1) + c)]);
    }
  }
  return out;
}

// X [N, C, L], W [M, C, K]: no padding, stride 1.
inline Array conv(const Array& x, const Array& w, const Array* bias) {
  const std::int64_t channels = x.dim(1), length = x.dim(2), k = w.dim(2);
  Array out{{x.dim(0), w.dim(0), length - k + 1}, {}};
  for (std::int64_t n = 0; n < out.dim(0); ++n) {
    for (std::int64_t m = 0; m < out.dim(1); ++m) {
      for (std::int64_t l = 0; l < out.dim(2); ++l) {
        double sum = bias != nullptr ? bias->values[std::size_t(m)] : 0;
        for (std::int64_t c = 0; c < channels; ++c) {
          for (std::int64_t i = 0; i < k; ++i) {
            sum += x.values[std::size_t((n * channels + c) * length + l + i)] *
                   w.values[std::size_t((m * channels + c) * k + i)];
          }
        }
        out.values.push_back(sum);
      }
    }
  }
  return out;
}

inline Array batch_norm(const Array& x, const std::vector<Array>& p, double epsilon) {
  Array out = x;
  const std::size_t channels = p[0].values.size();
  const std::size_t inner = x.values.size() / std::size_t(x.dim(0)) / channels;
  for (std::size_t i = 0; i < x.values.size(); ++i) {
    const std::size_t c = i / inner % channels;
    out.values[i] =
        p[0].values[c] * (x.values[i] - p[2].values[c]) / std::sqrt(p[3].values[c] + epsilon) +
        p[1].values[c];
  }
  return out;
}

inline Array relu(Array x) {
  for (double& v : x.values) v = std::max(v, 0.0);
  return x;
}

inline Array scale(Array x, double factor) {
  for (double& v : x.values) v *= factor;
  return x;
}

inline double add(double a, double b) { return a + b; }

inline Array evaluate_node(const Node& node, const std::vector<const Array*>& in) {
  const auto operand = [&in](std::size_t i) { return i < in.size() ? in[i] : nullptr; };
  Array out;
  if (node.op_type == "MatMul" || node.op_type == "Linear") {
    out = matmul(*in[0], *in[1]);
    if (const Array* bias = operand(2)) out = broadcast(out, *bias, add);
  } else if (node.op_type == "Gemm") {
    const Array a = *node.int_attr("transA", 0) != 0 ? transpose(*in[0]) : *in[0];
    const Array b = *node.int_attr("transB", 0) != 0 ? transpose(*in[1]) : *in[1];
    out = scale(matmul(a, b), double{*node.float_attr("alpha", 1)});
    if (const Array* c = operand(2)) {
      out = broadcast(out, scale(*c, double{*node.float_attr("beta", 1)}), add);
    }
  } else if (node.op_type == "Conv") {
    out = conv(*in[0], *in[1], operand(2));
  } else if (node.op_type == "BatchNormalization") {
    out = batch_norm(*in[0], {*in[1], *in[2], *in[3], *in[4]},
                     double{*node.float_attr("epsilon", 1e-5f)});
  } else if (node.op_type == "Add") {
    out = broadcast(*in[0], *in[1], add);
  } else if (node.op_type == "Relu") {
    out = relu(*in[0]);
  } else if (node.op_type == "Identity" || node.op_type == "Dropout") {
    out = *in[0];
  } else {
    ADD_FAILURE() << "no operator " << node.op_type;
  }
  if (node.has_attr("activation")) out = relu(out);
  return out;
}

/// The outputs of the graph, by name.
inline std::map<std::string, Array> evaluate(const Graph& graph,
                                             const std::map<std::string, Array>& inputs) {
  std::vector<Array> values(graph.values.size());
  for (std::size_t v = 0; v < values.size(); ++v) {
    const Value& value = graph.values[v];
    if (value.constant && value.constant->dtype() == DType::f32)
      values[v] = to_array(*value.constant);
    if (const auto it = inputs.find(value.name); it != inputs.end()) values[v] = it->second;
  }
  for (const Node& node : graph.nodes) {
    std::vector<const Array*> in;
    for (const ValueId id : node.inputs) {
      in.push_back(id == kNoValue ? nullptr : &values[std::size_t(id)]);
    }
    values[std::size_t(node.outputs.at(0))] = evaluate_node(node, in);
  }
  std::map<std::string, Array> outputs;
  for (const ValueId id : graph.outputs) {
    outputs[graph.values[std::size_t(id)].name] = values[std::size_t(id)];
  }
  return outputs;
}

/// Equal names, shapes, and values up to a few float32 roundings.
inline void expect_near(const std::map<std::string, Array>& a,
                        const std::map<std::string, Array>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (const auto& [name, array] : a) {
    ASSERT_TRUE(b.count(name)) << name;
    const Array& other = b.at(name);
    ASSERT_EQ(array.shape, other.shape) << name;
    for (std::size_t i = 0; i < array.values.size(); ++i) {
      ASSERT_NEAR(array.values[i], other.values[i], 1e-5 * (1 + std::abs(array.values[i]))) << name;
    }
  }
}

}  // namespace pbatch::testing
