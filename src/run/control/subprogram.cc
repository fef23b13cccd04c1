#include "run/control/subprogram.h"

#include <utility>

#include "op/float_checks.h"

namespace pbatch {

Result<Subprogram> Subprogram::create(const Node& node, const std::string& attribute) {
  PBATCH_ASSIGN_OR_RETURN(Program program, Program::build(*node.subgraphs.at(attribute)));
  return Subprogram(std::move(program), node.captures);
}

Result<std::vector<Tensor>> Subprogram::run(const RunContext& context, std::vector<Tensor> inputs,
                                            std::span<const Tensor* const> node_inputs) const {
  for (const Tensor* captured : node_inputs.last(captures_)) inputs.push_back(*captured);
  RunContext inner = context;
  return program_.run(inner, inputs);
}

ProgramInputs Subprogram::on(std::vector<std::optional<TensorType>> own,
                             std::span<const std::optional<TensorType>> node_inputs) const {
  if (node_inputs.size() < captures_) return {&program_, std::nullopt};
  for (const auto& captured : node_inputs.last(captures_)) own.push_back(captured);
  std::vector<TensorType> types;
  for (auto& type : own) {
    if (!type) return {&program_, std::nullopt};
    types.push_back(*std::move(type));
  }
  return {&program_, std::move(types)};
}

std::optional<std::size_t> Subprogram::input_rank(std::size_t i) const {
  const Graph& graph = program_.graph();
  const auto& dims = graph.values[static_cast<std::size_t>(graph.inputs[i])].dims;
  return dims ? std::optional(dims->size()) : std::nullopt;
}

const Value& Subprogram::output(std::size_t i) const {
  const Graph& graph = program_.graph();
  return graph.values[static_cast<std::size_t>(graph.outputs[i])];
}

Result<bool> read_condition(const Tensor& tensor, const char* what) {
  if (tensor.dtype() != DType::boolean || tensor.size() != 1) {
    return Status(ErrorCode::shape_mismatch,
                  std::string(what) + " is " + describe_tensor(tensor) + ", not one bool",
                  "put a Cast or a reduction before it");
  }
  return *tensor.data<std::uint8_t>() != 0;
}

Status expect_kept_type(const Tensor& before, const Tensor& after, std::size_t index) {
  if (before.dtype() == after.dtype()) return Status::ok();
  return {ErrorCode::shape_mismatch,
          "the body turns state " + std::to_string(index) + " from " + dtype_name(before.dtype()) +
              " into " + dtype_name(after.dtype()),
          "put a Cast at the end of the body"};
}

}  // namespace pbatch
