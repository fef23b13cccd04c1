#include "op/node_checks.h"

#include <algorithm>

#include "op/float_checks.h"

namespace pbatch {
namespace {

constexpr const char* kExportAgain = "the exporter wrote an invalid node; export the model again";

std::string count_text(std::size_t required, std::size_t most) {
  if (most == kAnyCount) return std::to_string(required) + " or more";
  if (most == required) return std::to_string(required);
  return std::to_string(required) + " to " + std::to_string(most);
}

}  // namespace

Status check_arity(const Node& node, std::size_t required, std::size_t most,
                   std::size_t most_outputs) {
  if (node.inputs.size() < required || node.inputs.size() > most) {
    return {ErrorCode::malformed,
            node.op_type + " has " + std::to_string(node.inputs.size()) + " inputs, not " +
                count_text(required, most),
            kExportAgain};
  }
  for (std::size_t i = 0; i < required; ++i) {
    if (has_input(node, i)) continue;
    return {ErrorCode::malformed,
            "input " + std::to_string(i) + " of " + node.op_type + " is missing", kExportAgain};
  }
  if (node.outputs.empty() || node.outputs.size() > most_outputs) {
    return {ErrorCode::malformed,
            node.op_type + " has " + std::to_string(node.outputs.size()) + " outputs, not " +
                count_text(1, most_outputs),
            kExportAgain};
  }
  return Status::ok();
}

Status unsupported_type(const std::string& op_type, DType type) {
  return {ErrorCode::unsupported, op_type + " does not take " + dtype_name(type) + " tensors",
          "put a Cast to float32 or int64 before it"};
}

Status expect_same_type(const std::string& op_type, DType a, DType b) {
  if (a == b) return Status::ok();
  return {ErrorCode::shape_mismatch,
          "the inputs of " + op_type + " are " + dtype_name(a) + " and " + dtype_name(b),
          "put a Cast before it so that they are alike"};
}

Result<IntegerList> IntegerList::from_attribute(const Node& node, const char* name) {
  IntegerList list;
  list.name_ = name;
  if (node.has_attr(name)) {
    PBATCH_ASSIGN_OR_RETURN(list.known_, node.ints_attr(name, {}));
  }
  return list;
}

Result<IntegerList> IntegerList::from_input(const Graph& graph, const Node& node, std::size_t index,
                                            const char* name) {
  IntegerList list;
  list.name_ = name;
  if (!has_input(node, index)) return list;
  list.index_ = index;
  if (const Tensor* constant = constant_input(graph, node, index)) {
    PBATCH_ASSIGN_OR_RETURN(list.known_, read_integers(*constant, name));
  }
  return list;
}

Result<std::optional<std::vector<std::int64_t>>> IntegerList::get(
    std::span<const Tensor* const> inputs) const {
  if (known_ || index_ == kAnyCount) return known_;
  PBATCH_ASSIGN_OR_RETURN(auto values, read_integers(*inputs[index_], name_));
  return std::optional(std::move(values));
}

Result<std::vector<std::size_t>> normalize_axes(const std::vector<std::int64_t>& axes,
                                                std::size_t rank) {
  std::vector<std::size_t> result;
  for (const std::int64_t axis : axes) {
    PBATCH_ASSIGN_OR_RETURN(const std::size_t index, normalize_axis(axis, rank));
    result.push_back(index);
  }
  std::sort(result.begin(), result.end());
  const auto twice = std::adjacent_find(result.begin(), result.end());
  if (twice != result.end()) {
    return Status(ErrorCode::malformed, "axis " + std::to_string(*twice) + " is named twice",
                  kExportAgain);
  }
  return result;
}

}  // namespace pbatch
