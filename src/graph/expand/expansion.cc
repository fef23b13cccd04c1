#include "graph/expand/expansion.h"

#include <algorithm>
#include <utility>

#include "graph/onnx_dtype.h"

namespace pbatch {
namespace {

template <class T>
Tensor filled(DType type, Shape shape, const std::vector<T>& values) {
  auto owner = std::make_shared<std::vector<T>>(values);
  const void* const data = owner->data();
  return Tensor::view(type, std::move(shape), data, std::move(owner));
}

}  // namespace

Status Expansion::expect_inputs(std::size_t required, std::size_t most) const {
  const std::size_t given = node_.inputs.size();
  if (given > most) {
    return Status(ErrorCode::malformed,
                  node_.op_type + " has " + std::to_string(given) + " inputs, at most " +
                      std::to_string(most),
                  "it is an invalid node, or of an opset after 23: export the model for opset 23")
        .at_node(node_.name);
  }
  for (std::size_t i = 0; i < required; ++i) {
    if (!has(i)) return malformed("lacks its input " + std::to_string(i));
  }
  return node_.outputs.empty() ? malformed("has no outputs") : Status::ok();
}

Status Expansion::unsupported(const std::string& what, const std::string& remedy) const {
  return Status(ErrorCode::unsupported, node_.op_type + " " + what, remedy).at_node(node_.name);
}

Status Expansion::malformed(const std::string& what) const {
  return Status(ErrorCode::malformed, node_.op_type + " " + what,
                "the exporter wrote an invalid node; export the model again")
      .at_node(node_.name);
}

std::optional<std::size_t> Expansion::declared_rank(ValueId id) const {
  const Value& value = graph_.values[static_cast<std::size_t>(id)];
  if (value.constant) return value.constant->rank();
  const bool given =
      std::find(graph_.inputs.begin(), graph_.inputs.end(), id) != graph_.inputs.end();
  return given && value.dims ? std::optional(value.dims->size()) : std::nullopt;
}

std::string Expansion::unique_name(const char* op_type) {
  const std::string base = node_.name + "/" + op_type;
  std::string name = base;
  for (int suffix = 2; !names_.insert(name).second; ++suffix) {
    name = base + "_" + std::to_string(suffix);
  }
  return name;
}

ValueId Expansion::op(const char* op_type, Values inputs, Attributes attributes) {
  return ops(op_type, std::move(inputs), 1, std::move(attributes)).front();
}

Expansion::Values Expansion::ops(const char* op_type, Values inputs, std::size_t outputs,
                                 Attributes attributes) {
  Node made;
  made.name = unique_name(op_type);
  made.op_type = op_type;
  made.opset = opset_;
  made.inputs = std::move(inputs);
  while (!made.inputs.empty() && made.inputs.back() == kNoValue) made.inputs.pop_back();
  made.attributes = std::move(attributes);
  for (std::size_t i = 0; i < outputs; ++i) {
    made.outputs.push_back(constants_.add_value(made.name + (i == 0 ? "" : std::to_string(i))));
  }
  nodes_.push_back(std::move(made));
  return nodes_.back().outputs;
}

ValueId Expansion::pbatch_op(const char* op_type, Values inputs, Attributes attributes) {
  const ValueId made = op(op_type, std::move(inputs), std::move(attributes));
  make_pbatch(graph_, nodes_.back(), op_type);
  return made;
}

// The value's maker makes the output itself, where the value is not an output already.
void Expansion::result(std::size_t i, ValueId value) {
  if (!wants(i)) return;
  const ValueId output = node_.outputs[i];
  const bool taken =
      std::find(node_.outputs.begin(), node_.outputs.end(), value) != node_.outputs.end();
  const auto makes = [value](const Node& n) {
    return std::find(n.outputs.begin(), n.outputs.end(), value) != n.outputs.end();
  };
  if (taken || std::none_of(nodes_.begin(), nodes_.end(), makes)) {
    op("Identity", {value});
    nodes_.back().outputs = {output};
    return;
  }
  for (Node& n : nodes_) {
    std::replace(n.outputs.begin(), n.outputs.end(), value, output);
    std::replace(n.inputs.begin(), n.inputs.end(), value, output);
  }
}

ValueId Expansion::tensor(const char* name, Tensor value) {
  return constants_.add(node_.name + "/" + name, std::move(value));
}

ValueId Expansion::scalar(float value) {
  return tensor("constant", filled<float>(DType::f32, {}, {value}));
}

ValueId Expansion::scalar(std::int64_t value) {
  return tensor("constant", filled<std::int64_t>(DType::i64, {}, {value}));
}

ValueId Expansion::ints(const std::vector<std::int64_t>& values) {
  return tensor("constant", filled(DType::i64, {static_cast<std::int64_t>(values.size())}, values));
}

ValueId Expansion::floats(const std::vector<float>& values) {
  return tensor("constant", filled(DType::f32, {static_cast<std::int64_t>(values.size())}, values));
}

ValueId Expansion::unsqueeze(ValueId x, const std::vector<std::int64_t>& axes) {
  if (opset_ < 13) return op("Unsqueeze", {x}, {{"axes", axes}});
  return op("Unsqueeze", {x, ints(axes)});
}

ValueId Expansion::squeeze(ValueId x, const std::vector<std::int64_t>& axes) {
  if (opset_ < 13) return op("Squeeze", {x}, {{"axes", axes}});
  return op("Squeeze", {x, ints(axes)});
}

ValueId Expansion::reduce(const char* op_type, ValueId x, const std::vector<std::int64_t>& axes) {
  const int first = std::string(op_type) == "ReduceSum" ? 13 : 18;
  if (opset_ < first) return op(op_type, {x}, {{"axes", axes}});
  return op(op_type, {x, ints(axes)});
}

ValueId Expansion::slice(ValueId x, std::int64_t axis, std::int64_t begin, std::int64_t end) {
  if (opset_ < 10) {
    using Ints = std::vector<std::int64_t>;
    return op("Slice", {x}, {{"starts", Ints{begin}}, {"ends", Ints{end}}, {"axes", Ints{axis}}});
  }
  return op("Slice", {x, ints({begin}), ints({end}), ints({axis})});
}

Expansion::Values Expansion::split(ValueId x, std::int64_t axis,
                                   const std::vector<std::int64_t>& sizes) {
  if (opset_ < 13) return ops("Split", {x}, sizes.size(), {{"axis", axis}, {"split", sizes}});
  return ops("Split", {x, ints(sizes)}, sizes.size(), {{"axis", axis}});
}

ValueId Expansion::cast(ValueId x, DType to) {
  return op("Cast", {x}, {{"to", std::int64_t{dtype_to_onnx(to)}}});
}

ValueId Expansion::reshape(ValueId x, const std::vector<std::int64_t>& shape) {
  return op("Reshape", {x, ints(shape)});
}

ValueId Expansion::transpose(ValueId x, const std::vector<std::int64_t>& perm) {
  return op("Transpose", {x}, {{"perm", perm}});
}

ValueId Expansion::swapped(ValueId x) { return pbatch_op("SwapLast", {x}); }

ValueId Expansion::dim(ValueId x, std::int64_t axis) {
  return op("Gather", {op("Shape", {x}), ints({axis})});
}

ValueId Expansion::add_if(ValueId x, ValueId bias) {
  return bias == kNoValue ? x : op("Add", {x, bias});
}

}  // namespace pbatch
