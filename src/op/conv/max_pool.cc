// MaxPool and GlobalMaxPool.
#include <optional>

#include "op/conv/global_window.h"
#include "op/conv/pooling.h"
#include "op/conv/pooling_indices.h"
#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

class MaxPool final : public Op {
 public:
  MaxPool(WindowAttributes window, std::optional<IndexOrder> indices)
      : window_(std::move(window)), indices_(indices) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor* x = input_or_null(request.inputs, 0);
    const bool bytes = x != nullptr && (x->dtype() == DType::u8 || x->dtype() == DType::i8);
    if (!bytes) PBATCH_RETURN_IF_ERROR(expect_float(x, "input X"));
    PBATCH_ASSIGN_OR_RETURN(const ConvGeometry geometry,
                            make_geometry(window_, x->shape(), window_.kernel));
    if (indices_) return plan_max_pool_with_indices(geometry, x->dtype(), *indices_);
    return plan_pooling(Pooling::max, geometry, x->dtype(), request.layout(0));
  }

  Layout wanted_layout(const PlanRequest& request, std::size_t i) const override {
    return indices_ ? Layout::plain : request.layout(i);
  }

 private:
  WindowAttributes window_;
  std::optional<IndexOrder> indices_;  // none: nobody asks for them
};

}  // namespace

Result<std::unique_ptr<Op>> make_max_pool(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 1, 1, 2));
  PBATCH_ASSIGN_OR_RETURN(WindowAttributes window, read_window_attributes(node));
  PBATCH_RETURN_IF_ERROR(require_kernel(window));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t order, node.int_attr("storage_order", 0));
  std::optional<IndexOrder> indices;
  if (node.outputs.size() > 1 && node.outputs[1] != kNoValue) {
    indices = order != 0 ? IndexOrder::column_major : IndexOrder::row_major;
  }
  return std::unique_ptr<Op>(new MaxPool(std::move(window), indices));
}

Result<std::unique_ptr<Op>> make_global_max_pool(const Graph&, const Node& node) {
  return make_global_pool(node, Pooling::max);
}

}  // namespace pbatch
