#include "run/simplify.h"

#include "graph/fallbacks.h"
#include "graph/passes.h"
#include "run/find_op.h"
#include "run/fold_constants.h"
#include "run/program.h"

namespace pbatch {

Status simplify(Graph& graph) {
  PBATCH_RETURN_IF_ERROR(widen_to_float32(graph));
  PBATCH_RETURN_IF_ERROR(fold_constants(graph));
  PBATCH_RETURN_IF_ERROR(resolve_sequences(graph));
  PBATCH_RETURN_IF_ERROR(expand(graph));
  PBATCH_RETURN_IF_ERROR(undo_dynamic_quantization(graph));
  PBATCH_RETURN_IF_ERROR(fold_constants(graph));
  PBATCH_RETURN_IF_ERROR(remove_unused(graph));
  PBATCH_RETURN_IF_ERROR(check_operators(graph));
  PBATCH_RETURN_IF_ERROR(fold_scale(graph));
  PBATCH_RETURN_IF_ERROR(fold_batch_norm(graph));
  PBATCH_RETURN_IF_ERROR(fuse_linear(graph));
  PBATCH_RETURN_IF_ERROR(split_recurrent(graph));
  return remove_unused(graph);
}

Status simplify_to_quantize(Graph& graph) {
  if (!has_fallbacks(graph)) return simplify(graph);
  Graph open = graph;
  freeze_fallbacks(open, Freeze::parameters);
  if (simplify(open) && Program::build(open)) {
    graph = std::move(open);
    return Status::ok();
  }
  freeze_fallbacks(graph, Freeze::all);
  return simplify(graph);
}

}  // namespace pbatch
