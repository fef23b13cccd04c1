#include "run/check_inputs.h"

#include <algorithm>
#include <map>
#include <string>

namespace pbatch {
namespace {

std::string input_names(const Graph& graph) {
  std::string names;
  for (const ValueId id : graph.inputs) {
    if (!names.empty()) names += ", ";
    names += "'" + graph.values[static_cast<std::size_t>(id)].name + "'";
  }
  return names;
}

std::string declared_shape(const std::vector<Dim>& dims) {
  std::string text = "[";
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (i != 0) text += ", ";
    if (dims[i].value >= 0) {
      text += std::to_string(dims[i].value);
    } else {
      text += dims[i].symbol.empty() ? "?" : dims[i].symbol;
    }
  }
  return text + "]";
}

bool shape_fits(const Shape& shape, const std::vector<Dim>& dims,
                std::map<std::string, std::int64_t>& symbols) {
  if (shape.size() != dims.size()) return false;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (dims[i].value >= 0) {
      if (shape[i] != dims[i].value) return false;
    } else if (!dims[i].symbol.empty()) {
      if (symbols.emplace(dims[i].symbol, shape[i]).first->second != shape[i]) return false;
    }
  }
  return true;
}

// Sizes of the dimensions that the given shapes name.
std::map<std::string, std::int64_t> bound_by(const Graph& graph,
                                             std::span<const InputShape> shapes) {
  std::map<std::string, std::int64_t> sizes;
  for (const ValueId id : graph.inputs) {
    const Value& value = graph.values[static_cast<std::size_t>(id)];
    for (const InputShape& given : shapes) {
      if (given.name != value.name || !value.dims || value.dims->size() != given.shape.size()) {
        continue;
      }
      for (std::size_t d = 0; d < given.shape.size(); ++d) {
        sizes.emplace((*value.dims)[d].symbol, given.shape[d]);
      }
    }
  }
  sizes.erase("");
  return sizes;
}

}  // namespace

Result<std::vector<Tensor>> check_shapes(const Graph& graph, std::span<const InputShape> shapes,
                                         bool* assumed) {
  *assumed = false;
  const std::map<std::string, std::int64_t> bound = bound_by(graph, shapes);
  std::vector<NamedTensor> tensors;
  const auto add = [&](const std::string& name, DType type, const Shape& shape) {
    PBATCH_RETURN_IF_ERROR(checked_element_count(shape, dtype_size(type)).status());
    tensors.push_back({name, Tensor::view(type, shape, nullptr, nullptr)});
    return Status::ok();
  };
  std::map<std::string, DType> types;
  for (const ValueId id : graph.inputs) {
    const Value& value = graph.values[static_cast<std::size_t>(id)];
    types[value.name] = value.dtype;
    const bool is_given = std::any_of(shapes.begin(), shapes.end(), [&](const InputShape& given) {
      return given.name == value.name;
    });
    if (is_given || value.fallback) continue;
    Shape shape;
    if (!value.dims) *assumed = true;
    for (const Dim& dim : value.dims.value_or(std::vector<Dim>{})) {
      const auto it = bound.find(dim.symbol);
      if (dim.value < 0 && it == bound.end()) *assumed = true;
      shape.push_back(dim.value >= 0 ? dim.value : it != bound.end() ? it->second : 1);
    }
    PBATCH_RETURN_IF_ERROR(add(value.name, value.dtype, shape));
  }
  for (const InputShape& given : shapes) {
    PBATCH_RETURN_IF_ERROR(add(given.name, types[given.name], given.shape));
  }
  return check_inputs(graph, tensors);
}

PortInfo describe_port(const Graph& graph, ValueId id) {
  const Value& value = graph.values[static_cast<std::size_t>(id)];
  PortInfo port{value.name, value.dtype, {}, {}, value.fallback.has_value()};
  if (value.dims) {
    for (const Dim& d : *value.dims) {
      port.shape.push_back(d.value);
      port.dim_names.push_back(d.symbol);
    }
  }
  return port;
}

Result<std::vector<Tensor>> check_inputs(const Graph& graph, std::span<const NamedTensor> inputs) {
  std::vector<Tensor> ordered;
  std::map<std::string, std::int64_t> symbols;
  for (const ValueId id : graph.inputs) {
    const Value& value = graph.values[static_cast<std::size_t>(id)];
    const Tensor* found = nullptr;
    for (const NamedTensor& given : inputs) {
      if (given.name != value.name) continue;
      if (found != nullptr) {
        return Status(ErrorCode::invalid_argument, "input '" + value.name + "' is given twice",
                      "give each input once");
      }
      found = &given.tensor;
    }
    if (found == nullptr && value.fallback) {
      ordered.push_back(*value.fallback);
      continue;
    }
    if (found == nullptr) {
      return Status(ErrorCode::invalid_argument, "input '" + value.name + "' is missing",
                    "the network's inputs are " + input_names(graph));
    }
    if (found->dtype() != value.dtype) {
      return Status(ErrorCode::invalid_argument,
                    "input '" + value.name + "' is " + dtype_name(found->dtype()) +
                        " but the network takes " + dtype_name(value.dtype),
                    "convert it first");
    }
    if (value.dims && !shape_fits(found->shape(), *value.dims, symbols)) {
      return Status(ErrorCode::shape_mismatch,
                    "input '" + value.name + "' has shape " + shape_to_string(found->shape()) +
                        " but the network takes " + declared_shape(*value.dims),
                    "reshape it to fit");
    }
    ordered.push_back(*found);
  }
  for (const NamedTensor& given : inputs) {
    bool known = false;
    for (const ValueId id : graph.inputs) {
      known = known || graph.values[static_cast<std::size_t>(id)].name == given.name;
    }
    if (!known) {
      return Status(ErrorCode::invalid_argument, "the network has no input '" + given.name + "'",
                    "its inputs are " + input_names(graph));
    }
  }
  return ordered;
}

}  // namespace pbatch
