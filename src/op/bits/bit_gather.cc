// pbatch.BitGather: Y [indices..., cols] = rows of a table that is held as bit-layers.
#include <algorithm>
#include <vector>

#include "layout/layout.h"
#include "op/bits/bit_weights.h"
#include "op/data_checks.h"
#include "op/node_checks.h"
#include "op/op.h"
#include "quantize/dequantize.h"

namespace pbatch {
namespace {

// Elements that are worth a thread: some 20 us.
constexpr std::int64_t kElementsAThread = std::int64_t{1} << 14;

class BitGather final : public Op {
 public:
  BitGather(std::shared_ptr<const BitMatrix> table, std::string name)
      : table_(std::move(table)), name_(std::move(name)) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const LayerPrecision& precision = request.context.precision.of(name_);
    PBATCH_RETURN_IF_ERROR(check_planes(*table_, width_of(precision)));
    const Tensor& indices = *request.inputs[0];
    PBATCH_ASSIGN_OR_RETURN(const IndexReader reader, IndexReader::create(indices, table_->rows));
    Shape shape = indices.shape();
    shape.push_back(table_->cols);
    StepPlan plan = StepPlan::of(
        {DType::f32, std::move(shape)},
        [table = table_, reader, width = width_of(precision)](const StepCall& call) -> Status {
          const std::int64_t cols = table->cols;
          auto* const index = static_cast<std::int64_t*>(call.scratch);
          PBATCH_RETURN_IF_ERROR(reader.read(call.in[0], index));
          float* const y = call.output<float>(0);
          call.pool.parallel_for(reader.count(), std::max<std::int64_t>(1, kElementsAThread / cols),
                                 [&](std::int64_t begin, std::int64_t end) {
                                   for (std::int64_t i = begin; i < end; ++i) {
                                     if (i + 1 < end) prefetch_row(*table, width, index[i + 1]);
                                     dequantize_row(*table, width, index[i], y + i * cols);
                                   }
                                 });
          return Status::ok();
        });
    plan.scratch_bytes = reader.bytes();
    plan.info = info(precision);
    return plan;
  }

 private:
  // A run reads the rows that it is asked for; the bytes are those of the table.
  PlanStep info(const LayerPrecision& precision) const {
    PlanStep step;
    step.kernel = "rows";
    step.rows = table_->rows;
    step.cols = table_->cols;
    step.weight_bits = precision.weight_bits;
    step.activation_bits = precision.activation_bits;
    step.weight_bytes = width_of(precision) * plane_bytes(step.rows, step.cols) +
                        static_cast<std::int64_t>(table_->group_codes.size()) + step.rows * 4;
    return step;
  }

  int width_of(const LayerPrecision& precision) const {
    return precision.weight_bits == 32 ? all_planes(*table_) : precision.weight_bits;
  }

  std::shared_ptr<const BitMatrix> table_;
  std::string name_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_bit_gather(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_has_matrix(node));
  PBATCH_RETURN_IF_ERROR(check_arity(node, 1, 1));
  return std::unique_ptr<Op>(new BitGather(node.matrix, node.name));
}

}  // namespace pbatch
