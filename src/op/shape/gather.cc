// Gather: slices of one axis, picked by a tensor of indices.
#include <cstring>

#include "op/data_checks.h"
#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

class Gather final : public Op {
 public:
  explicit Gather(std::int64_t axis) : axis_(axis) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor& x = *request.inputs[0];
    const Tensor& indices = *request.inputs[1];
    PBATCH_ASSIGN_OR_RETURN(const std::size_t axis, normalize_axis(axis_, x.rank()));
    PBATCH_ASSIGN_OR_RETURN(const IndexReader reader, IndexReader::create(indices, x.dim(axis)));
    const auto at = x.shape().begin() + static_cast<std::ptrdiff_t>(axis);
    Shape shape(x.shape().begin(), at);
    shape.insert(shape.end(), indices.shape().begin(), indices.shape().end());
    shape.insert(shape.end(), at + 1, x.shape().end());
    const std::int64_t bytes = product_of(x.shape(), axis + 1, x.rank()) *
                               static_cast<std::int64_t>(dtype_size(x.dtype()));
    const std::int64_t extent = x.dim(axis);
    const std::int64_t rows = product_of(x.shape(), 0, axis) * reader.count();
    StepPlan plan = StepPlan::of(
        {x.dtype(), std::move(shape)},
        [reader, bytes, extent, rows](const StepCall& call) -> Status {
          auto* const index = static_cast<std::int64_t*>(call.scratch);
          PBATCH_RETURN_IF_ERROR(reader.read(call.in[1], index));
          if (bytes == 0) return Status::ok();
          const std::int64_t picks = reader.count();
          const char* const from = call.input<char>(0);
          char* const to = call.output<char>(0);
          call.pool.parallel_for(
              rows, items_worth_a_thread(bytes), [&](std::int64_t begin, std::int64_t end) {
                for (std::int64_t row = begin; row < end; ++row) {
                  const std::int64_t source = row / picks * extent + index[row % picks];
                  std::memcpy(to + row * bytes, from + source * bytes,
                              static_cast<std::size_t>(bytes));
                }
              });
          return Status::ok();
        });
    plan.scratch_bytes = reader.bytes();
    return plan;
  }

 private:
  std::int64_t axis_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_gather(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 2, 2));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t axis, node.int_attr("axis", 0));
  return std::unique_ptr<Op>(new Gather(axis));
}

}  // namespace pbatch
