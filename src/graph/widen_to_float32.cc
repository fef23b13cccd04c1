#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "graph/float64_casts.h"
#include "graph/half.h"
#include "graph/onnx_dtype.h"
#include "graph/passes.h"
#include "graph/subgraphs.h"

namespace pbatch {
namespace {

bool is_other_float(DType type) {
  return type == DType::f16 || type == DType::bf16 || type == DType::f64;
}

// Attention masks are often the least float64; an infinity in its place would
// turn their softmax into NaN, so finite numbers stay finite.
float narrow(double value) {
  constexpr double limit = std::numeric_limits<float>::max();
  return static_cast<float>(std::isfinite(value) ? std::clamp(value, -limit, limit) : value);
}

Result<Tensor> to_float32(const Tensor& from) {
  PBATCH_ASSIGN_OR_RETURN(Tensor to, Tensor::create(DType::f32, from.shape()));
  auto* out = to.mutable_data<float>();
  switch (from.dtype()) {
    case DType::f16:
      std::transform(from.data<std::uint16_t>(), from.data<std::uint16_t>() + from.size(), out,
                     f16_to_f32);
      break;
    case DType::bf16:
      std::transform(from.data<std::uint16_t>(), from.data<std::uint16_t>() + from.size(), out,
                     bf16_to_f32);
      break;
    default:
      std::transform(from.data<double>(), from.data<double>() + from.size(), out, narrow);
  }
  return to;
}

Status widen_attribute(const Node& node, const std::string& name, Attribute& attribute) {
  if (Tensor* tensor = std::get_if<Tensor>(&attribute)) {
    if (is_other_float(tensor->dtype())) {
      PBATCH_ASSIGN_OR_RETURN(*tensor, to_float32(*tensor));
    }
  } else if (auto* code = std::get_if<std::int64_t>(&attribute)) {
    // The attributes that name an element type: Cast's and those of generators.
    const bool names_type = node.domain.empty() && ((node.op_type == "Cast" && name == "to") ||
                                                    name == "dtype" || name == "output_datatype");
    const std::optional<DType> type = names_type ? dtype_from_onnx(*code) : std::nullopt;
    if (type && is_other_float(*type)) *code = dtype_to_onnx(DType::f32);
  }
  return Status::ok();
}

Status widen(Graph& graph) {
  for (Value& value : graph.values) {
    if (value.constant && is_other_float(value.constant->dtype())) {
      PBATCH_ASSIGN_OR_RETURN(value.constant, to_float32(*value.constant));
    }
    if (value.fallback && is_other_float(value.fallback->dtype())) {
      PBATCH_ASSIGN_OR_RETURN(value.fallback, to_float32(*value.fallback));
    }
    if (is_other_float(value.dtype)) value.dtype = DType::f32;
  }
  for (Node& node : graph.nodes) {
    for (auto& [name, attribute] : node.attributes) {
      if (Status s = widen_attribute(node, name, attribute); !s) {
        return std::move(s).at_node(node.name);
      }
    }
  }
  return change_subgraphs(graph, widen);
}

}  // namespace

Status widen_to_float32(Graph& graph) {
  PBATCH_RETURN_IF_ERROR(mark_float64_casts(graph));
  return widen(graph);
}

}  // namespace pbatch
