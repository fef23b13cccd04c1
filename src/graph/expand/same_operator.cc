// Operators of com.microsoft that ONNX's own of that name are, or became.
#include "graph/expand/expansion.h"

namespace pbatch {

Status expand_to_same(Expansion& e) {
  PBATCH_RETURN_IF_ERROR(e.expect_inputs(1, e.node().inputs.size()));
  const Expansion::Values made = e.ops(e.node().op_type.c_str(), e.node().inputs,
                                       e.node().outputs.size(), e.node().attributes);
  for (std::size_t i = 0; i < made.size(); ++i) e.result(i, made[i]);
  return Status::ok();
}

}  // namespace pbatch
