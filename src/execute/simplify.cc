#include "execute/simplify.h"

#include "execute/fold_constants.h"
#include "execute/op.h"
#include "graph/passes.h"

namespace pbatch {

Status simplify(Graph& graph) {
  PBATCH_RETURN_IF_ERROR(widen_to_float32(graph));
  PBATCH_RETURN_IF_ERROR(fold_constants(graph));
  PBATCH_RETURN_IF_ERROR(remove_unused(graph));
  PBATCH_RETURN_IF_ERROR(check_operators(graph));
  PBATCH_RETURN_IF_ERROR(fold_batch_norm(graph));
  PBATCH_RETURN_IF_ERROR(fuse_linear(graph));
  PBATCH_RETURN_IF_ERROR(split_recurrent(graph));
  return remove_unused(graph);
}

}  // namespace pbatch
