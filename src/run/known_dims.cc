#include "run/known_dims.h"

#include <cstdint>

#include "graph/rewrite.h"
#include "graph/subgraphs.h"
#include "op/data_checks.h"

namespace pbatch {
namespace {

std::optional<Tensor> as_tensor(const std::vector<Dim>& dims, Shape shape) {
  Result<Tensor> tensor = Tensor::create(DType::i64, std::move(shape));
  if (!tensor) return std::nullopt;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (dims[i].value < 0) return std::nullopt;
    tensor->mutable_data<std::int64_t>()[i] = dims[i].value;
  }
  return *std::move(tensor);
}

}  // namespace

KnownDims KnownDims::of_inputs(const Graph& graph) {
  KnownDims known;
  for (const ValueId id : graph.inputs) {
    const auto& dims = graph.values[static_cast<std::size_t>(id)].dims;
    if (dims) known.inputs_[id] = *dims;
  }
  return known;
}

KnownDims KnownDims::of_subgraph(const Node& node, const Graph& subgraph) const {
  KnownDims inside;
  for (std::size_t i = 0; i < node.captures; ++i) {
    const ValueId outer = node.inputs[own_inputs(node) + i];
    const ValueId inner = subgraph.inputs[subgraph.inputs.size() - node.captures + i];
    if (const auto it = inputs_.find(outer); it != inputs_.end())
      inside.inputs_[inner] = it->second;
    if (const auto it = shapes_.find(outer); it != shapes_.end())
      inside.shapes_[inner] = it->second;
  }
  return inside;
}

std::optional<Tensor> KnownDims::value_of(const Graph& graph, const Node& node) {
  if (node.outputs.size() != 1 || node.outputs[0] == kNoValue) return std::nullopt;
  const ValueId from = input_or_none(node, 0);
  if (is_onnx(node, "Shape") && node.attributes.empty()) {
    const auto it = inputs_.find(from);
    if (it == inputs_.end()) return std::nullopt;
    shapes_[node.outputs[0]] = it->second;
    return as_tensor(it->second, {static_cast<std::int64_t>(it->second.size())});
  }
  const auto shape = shapes_.find(from);
  const Tensor* indices = graph.constant(input_or_none(node, 1));
  if (!is_onnx(node, "Gather") || shape == shapes_.end() || indices == nullptr) return std::nullopt;
  const Result<std::int64_t> axis = node.int_attr("axis", 0);
  const Result<Indices> at = Indices::of(*indices);
  if (!axis || !at || (*axis != 0 && *axis != -1)) return std::nullopt;
  std::vector<Dim> dims;
  for (std::int64_t i = 0; i < indices->size(); ++i) {
    std::int64_t index = (*at)[i];
    if (!wrap_index(static_cast<std::int64_t>(shape->second.size()), &index)) return std::nullopt;
    dims.push_back(shape->second[static_cast<std::size_t>(index)]);
  }
  return as_tensor(dims, indices->shape());
}

}  // namespace pbatch
