// Gather: slices of one axis, picked by a tensor of indices.
#include <cstring>

#include "execute/op.h"
#include "execute/ops/data_checks.h"
#include "execute/ops/float_checks.h"
#include "execute/ops/node_checks.h"

namespace pbatch {
namespace {

class Gather final : public Op {
 public:
  explicit Gather(std::int64_t axis) : axis_(axis) {}

  Status run(RunContext& context, std::span<const Tensor* const> inputs,
             std::span<Tensor> outputs) const override {
    const Tensor& x = *inputs[0];
    PBATCH_ASSIGN_OR_RETURN(const std::size_t axis, normalize_axis(axis_, x.rank()));
    PBATCH_ASSIGN_OR_RETURN(const Tensor indices,
                            absolute_indices(context, *inputs[1], x.dim(axis)));
    const auto at = x.shape().begin() + static_cast<std::ptrdiff_t>(axis);
    Shape shape(x.shape().begin(), at);
    shape.insert(shape.end(), indices.shape().begin(), indices.shape().end());
    shape.insert(shape.end(), at + 1, x.shape().end());
    PBATCH_ASSIGN_OR_RETURN(outputs[0], context.allocate(x.dtype(), std::move(shape)));
    if (outputs[0].size() == 0) return Status::ok();

    const std::int64_t bytes = product_of(x.shape(), axis + 1, x.rank()) *
                               static_cast<std::int64_t>(dtype_size(x.dtype()));
    const std::int64_t picks = indices.size(), extent = x.dim(axis);
    const auto* const index = indices.data<std::int64_t>();
    const auto* const from = static_cast<const char*>(x.raw());
    auto* const to = static_cast<char*>(outputs[0].mutable_raw());
    const std::int64_t rows = product_of(x.shape(), 0, axis) * picks;
    context.pool.parallel_for(
        rows, items_worth_a_thread(bytes), [&](std::int64_t begin, std::int64_t end) {
          for (std::int64_t row = begin; row < end; ++row) {
            const std::int64_t source = row / picks * extent + index[row % picks];
            std::memcpy(to + row * bytes, from + source * bytes, static_cast<std::size_t>(bytes));
          }
        });
    return Status::ok();
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
