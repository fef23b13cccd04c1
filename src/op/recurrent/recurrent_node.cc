#include "op/recurrent/recurrent_node.h"

#include <algorithm>
#include <string>

#include "op/float_checks.h"

namespace pbatch {
namespace {

// An absent or constant vector of `size` floats.
Result<Tensor> constant_vector(const Graph& graph, const Node& node, std::size_t i,
                               std::int64_t size, const char* name) {
  if (!has_input(node, i)) return Tensor{};
  const Tensor* t = constant_input(graph, node, i);
  if (t == nullptr || t->dtype() != DType::f32 || t->shape() != Shape{size}) {
    return Status(ErrorCode::malformed,
                  std::string(name) + " of a pbatch operator must be a constant of " +
                      std::to_string(size) + " float32 values",
                  "export or quantize the network again");
  }
  return *t;
}

}  // namespace

Result<RecurrentNode> RecurrentNode::create(const Graph& graph, const Node& node,
                                            std::size_t first) {
  RecurrentNode made;
  made.first_ = first;
  PBATCH_ASSIGN_OR_RETURN(const std::string cell, node.string_attr("cell", ""));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t index, node.int_attr("direction_index", 0));
  PBATCH_ASSIGN_OR_RETURN(const std::string direction, node.string_attr("direction", "forward"));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t layout, node.int_attr("layout", 0));
  made.directions_ = direction == "bidirectional" ? 2 : 1;
  if (index < 0 || index >= made.directions_ || layout < 0 || layout > 1) {
    return Status(ErrorCode::malformed, "direction_index or layout of a pbatch operator is wrong",
                  "make the model anew");
  }
  made.index_ = static_cast<int>(index);
  made.layout_ = static_cast<int>(layout);
  PBATCH_ASSIGN_OR_RETURN(made.spec_, read_recurrent_spec(node, cell, made.index_));
  const std::int64_t padded = made.spec_.gates.padded();
  PBATCH_ASSIGN_OR_RETURN(made.r_bias_, constant_vector(graph, node, first, padded, "Rb"));
  PBATCH_ASSIGN_OR_RETURN(made.peephole_, constant_vector(graph, node, first + 4, 3 * padded, "P"));
  return made;
}

Result<RecurrentIo> RecurrentNode::open(std::span<const Tensor* const> inputs) const {
  RecurrentInputs in;
  in.x = input_or_null(inputs, 0);
  in.lengths = input_or_null(inputs, first_ + 1);
  in.initial_h = input_or_null(inputs, first_ + 2);
  in.initial_c = input_or_null(inputs, first_ + 3);
  PBATCH_ASSIGN_OR_RETURN(RecurrentIo io,
                          RecurrentIo::create(in, spec_.gates.hidden, directions_, layout_));
  if (in.x->dim(2) != spec_.gates.rows()) {
    return Status(ErrorCode::shape_mismatch,
                  "input XW is " + shape_to_string(in.x->shape()) + ", but the layer takes " +
                      std::to_string(spec_.gates.rows()) + " gate rows",
                  "export or quantize the network again");
  }
  return io;
}

std::span<Tensor> RecurrentNode::wanted(std::span<Tensor> outputs) const {
  const std::size_t most = spec_.gates.cell == CellType::lstm ? 3 : 2;
  return outputs.first(std::min(outputs.size(), most));
}

RecurrentCall RecurrentNode::call(const RecurrentIo& io,
                                  std::span<const Tensor* const> inputs) const {
  return with_constants(io.call(inputs[0]->data<float>(), spec_.gates.rows(), index_, 0));
}

RecurrentCall RecurrentNode::call(const RecurrentIo& io, const StepCall& step,
                                  std::size_t inputs) const {
  const auto input = [&](std::size_t i) { return i < inputs ? step.in[i] : nullptr; };
  RecurrentData data;
  data.lengths = static_cast<const std::int32_t*>(input(first_ + 1));
  data.initial_h = static_cast<const float*>(input(first_ + 2));
  data.initial_c = static_cast<const float*>(input(first_ + 3));
  data.y = step.output<float>(0);
  data.y_h = step.output<float>(1);
  if (spec_.gates.cell == CellType::lstm) data.y_c = step.output<float>(2);
  return with_constants(io.call(data, step.input<float>(0), spec_.gates.rows(), index_, 0, 1));
}

RecurrentCall RecurrentNode::with_constants(RecurrentCall call) const {
  if (r_bias_.size() != 0) call.r_bias = r_bias_.data<float>();
  if (peephole_.size() != 0) call.peephole = peephole_.data<float>();
  return call;
}

}  // namespace pbatch
