#include "graph/make_linear.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "graph/rewrite.h"

namespace pbatch {
namespace {

Result<Tensor> transposed(const Tensor& from) {
  constexpr std::int64_t tile = 32;  // both sides of a tile stay in the cache
  const std::int64_t rows = from.dim(0), cols = from.dim(1);
  PBATCH_ASSIGN_OR_RETURN(Tensor to, Tensor::create(DType::f32, {cols, rows}));
  const auto* in = from.data<float>();
  auto* out = to.mutable_data<float>();
  for (std::int64_t r0 = 0; r0 < rows; r0 += tile) {
    for (std::int64_t c0 = 0; c0 < cols; c0 += tile) {
      for (std::int64_t r = r0; r < std::min(rows, r0 + tile); ++r) {
        for (std::int64_t c = c0; c < std::min(cols, c0 + tile); ++c) {
          out[c * rows + r] = in[r * cols + c];
        }
      }
    }
  }
  return to;
}

Result<Tensor> scaled_matrix(const Tensor& from, float factor) {
  PBATCH_ASSIGN_OR_RETURN(Tensor to, Tensor::create(DType::f32, from.shape()));
  std::transform(from.data<float>(), from.data<float>() + from.size(), to.mutable_data<float>(),
                 [factor](float x) { return x * factor; });
  return to;
}

// True if adding `bias` to [..., n] of rank `rank` (0: unknown, at least 1) adds
// one number, or n of them along the last axis, and changes no shape.
bool adds_along_last_axis(const Tensor& bias, std::int64_t n, std::size_t rank) {
  if (bias.rank() > std::max<std::size_t>(rank, 1)) return false;
  if (bias.size() == 1) return true;
  return bias.size() == n && bias.rank() > 0 && bias.dim(bias.rank() - 1) == n;
}

class LinearMaker {
 public:
  LinearMaker(Graph& graph, const KnownRanks& ranks)
      : graph_(graph),
        ranks_(ranks),
        uses_(graph),
        constants_(graph),
        dead_(graph.nodes.size(), false) {}

  Status run() {
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
      Node& node = graph_.nodes[n];
      if (float_constant(graph_, node, 1) == nullptr || node.outputs.size() != 1) continue;
      if (input_or_none(node, 0) == kNoValue || node.outputs[0] == kNoValue) continue;
      if (is_onnx(node, "MatMul")) drop_leading_ones(node);
      if (float_constant(graph_, node, 1)->rank() != 2) continue;
      if (is_onnx(node, "MatMul") && node.inputs.size() == 2) {
        PBATCH_RETURN_IF_ERROR(from_matmul(node));
      } else if (is_onnx(node, "Gemm")) {
        PBATCH_RETURN_IF_ERROR(from_gemm(node));
      }
    }
    erase_nodes(graph_, dead_);
    return Status::ok();
  }

 private:
  Value& value(ValueId id) { return graph_.values[static_cast<std::size_t>(id)]; }

  // A matrix [1, K, N] is one [K, N] where its rank does not make that of the product.
  void drop_leading_ones(Node& node) {
    const Tensor& matrix = *float_constant(graph_, node, 1);
    const std::size_t rank = matrix.rank();
    if (rank < 3 || ranks_.of(node.inputs[0]).value_or(0) < rank) return;
    const Shape& shape = matrix.shape();
    if (std::any_of(shape.begin(), shape.end() - 2, [](std::int64_t d) { return d != 1; })) return;
    Tensor flat = matrix.reshaped({shape[rank - 2], shape[rank - 1]});
    node.inputs[1] = constants_.add(value(node.inputs[1]).name + "_matrix", std::move(flat));
  }

  // The constant `id` as a vector of n numbers times `factor`.
  Result<ValueId> bias_vector(ValueId id, std::int64_t n, float factor) {
    const Tensor& from = *graph_.constant(id);
    if (from.shape() == Shape{n} && factor == 1) return id;
    PBATCH_ASSIGN_OR_RETURN(Tensor to, Tensor::create(DType::f32, {n}));
    const auto* in = from.data<float>();
    auto* out = to.mutable_data<float>();
    for (std::int64_t i = 0; i < n; ++i) out[i] = factor * in[from.size() == 1 ? 0 : i];
    return constants_.add(value(id).name + "_bias", std::move(to));
  }

  Status from_matmul(Node& node) {
    const ValueId product = node.outputs[0];
    const std::int64_t n = float_constant(graph_, node, 1)->dim(1);
    const std::int32_t consumer = uses_.sole_consumer(product);
    if (consumer >= 0) {
      const Node& add = graph_.nodes[static_cast<std::size_t>(consumer)];
      const std::size_t rank = ranks_.of(node.inputs[0]).value_or(0);
      if (const ValueId addend = constant_addend(add, product);
          addend != kNoValue && adds_along_last_axis(*graph_.constant(addend), n, rank)) {
        PBATCH_ASSIGN_OR_RETURN(const ValueId bias, bias_vector(addend, n, 1));
        node.inputs.push_back(bias);
        node.outputs[0] = add.outputs[0];
        dead_[static_cast<std::size_t>(consumer)] = true;
      }
    }
    make_pbatch(graph_, node, "Linear");
    return Status::ok();
  }

  // What an Add adds to `to`, if that is a float constant.
  ValueId constant_addend(const Node& add, ValueId to) const {
    if (!is_onnx(add, "Add") || add.inputs.size() != 2 || add.outputs.size() != 1) return kNoValue;
    const std::size_t other = add.inputs[0] == to ? 1 : 0;
    return float_constant(graph_, add, other) != nullptr ? add.inputs[other] : kNoValue;
  }

  Status from_gemm(Node& node) {
    PBATCH_ASSIGN_OR_RETURN(const float alpha, node.float_attr("alpha", 1));
    PBATCH_ASSIGN_OR_RETURN(const float beta, node.float_attr("beta", 1));
    PBATCH_ASSIGN_OR_RETURN(const std::int64_t trans_a, node.int_attr("transA", 0));
    PBATCH_ASSIGN_OR_RETURN(const std::int64_t trans_b, node.int_attr("transB", 0));
    if (trans_a != 0 || !std::isfinite(alpha) || !std::isfinite(beta)) return Status::ok();
    const std::int64_t n = float_constant(graph_, node, 1)->dim(trans_b != 0 ? 0 : 1);

    const ValueId addend = input_or_none(node, 2);
    const bool has_bias = addend != kNoValue && beta != 0;
    if (has_bias) {
      const Tensor* bias = float_constant(graph_, node, 2);
      if (bias == nullptr || !adds_along_last_axis(*bias, n, 2)) return Status::ok();
    }
    PBATCH_ASSIGN_OR_RETURN(const ValueId matrix, gemm_matrix(node.inputs[1], trans_b != 0, alpha));
    node.inputs = {node.inputs[0], matrix};
    if (has_bias) {
      PBATCH_ASSIGN_OR_RETURN(const ValueId bias, bias_vector(addend, n, beta));
      node.inputs.push_back(bias);
    }
    node.attributes.clear();
    make_pbatch(graph_, node, "Linear");
    return Status::ok();
  }

  // Layers that share a matrix share its transpose.
  Result<ValueId> gemm_matrix(ValueId id, bool transpose, float alpha) {
    if (!transpose && alpha == 1) return id;
    const auto known = matrices_.find({id, transpose, alpha});
    if (known != matrices_.end()) return known->second;
    const std::string name = value(id).name;
    Tensor matrix = *graph_.constant(id);
    if (transpose) {
      PBATCH_ASSIGN_OR_RETURN(matrix, transposed(matrix));
    }
    if (alpha != 1) {
      PBATCH_ASSIGN_OR_RETURN(matrix, scaled_matrix(matrix, alpha));
    }
    const ValueId made =
        constants_.add(name + (transpose ? "_transposed" : "_scaled"), std::move(matrix));
    matrices_.emplace(std::tuple(id, transpose, alpha), made);
    return made;
  }

  Graph& graph_;
  const KnownRanks& ranks_;
  Uses uses_;
  NewConstants constants_;
  std::vector<bool> dead_;
  std::map<std::tuple<ValueId, bool, float>, ValueId> matrices_;
};

}  // namespace

Status make_linear(Graph& graph, const KnownRanks& ranks) {
  return LinearMaker(graph, ranks).run();
}

}  // namespace pbatch
