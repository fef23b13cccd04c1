#include "execute/op.h"

#include <string_view>

namespace pbatch {

#define PBATCH_OP(domain, op_type, first_opset, factory) \
  Result<std::unique_ptr<Op>> factory(const Graph& graph, const Node& node);
#include "execute/ops/ops.inc"
#undef PBATCH_OP

namespace {

struct Entry {
  std::string_view domain, op_type;
  int first_opset;
  OpFactory factory;
};

constexpr Entry kOperators[] = {
#define PBATCH_OP(domain, op_type, first_opset, factory) {domain, op_type, first_opset, factory},
#include "execute/ops/ops.inc"
#undef PBATCH_OP
};

}  // namespace

Result<Tensor> RunContext::allocate(DType type, Shape shape) const {
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t count, checked_element_count(shape, dtype_size(type)));
  std::shared_ptr<void> memory = buffers.take(static_cast<std::size_t>(count) * dtype_size(type));
  if (memory == nullptr) {
    return Status(ErrorCode::out_of_memory,
                  "no memory for a tensor of shape " + shape_to_string(shape),
                  "use a smaller batch or free some memory");
  }
  void* const data = memory.get();
  return Tensor::view(type, std::move(shape), data, std::move(memory));
}

Result<OpFactory> find_op(const Node& node) {
  const Entry* other_opset = nullptr;
  for (const Entry& entry : kOperators) {
    if (entry.op_type != node.op_type || entry.domain != node.domain) continue;
    if (node.opset >= entry.first_opset) return entry.factory;
    other_opset = &entry;
  }
  const std::string name = (node.domain.empty() ? "" : node.domain + ".") + node.op_type;
  if (other_opset != nullptr) {
    return Status(ErrorCode::unsupported,
                  "operator " + name + " of opset " + std::to_string(node.opset) +
                      " is older than what pbatch runs",
                  "export with opset " + std::to_string(other_opset->first_opset) + " or later");
  }
  return Status(ErrorCode::unsupported,
                "operator " + name + " (opset " + std::to_string(node.opset) + ") is not supported",
                "replace it before export; docs/operators.md lists those that run");
}

}  // namespace pbatch
